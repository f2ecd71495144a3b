#!/bin/bash
# install_and_build BUILD_DIR: install the libraries into a new place and build a program against that place only, by pkg-config and by CMake.

set -euo pipefail
build=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

for component in client node; do
    cmake --install "$build" --prefix "$place/usr" --component $component > /dev/null
done
pc_dir=$(dirname "$(find "$place/usr" -name dongting-node.pc)")
export PKG_CONFIG_PATH=$pc_dir
# shellcheck disable=SC2046
cc -Wall -Wextra -Werror "$root/demos/embedded/embedded.c" $(pkg-config --define-variable=prefix="$place/usr" --cflags --libs dongting-node dongting-client) -o "$place/by-pkg-config"
LD_LIBRARY_PATH=$(dirname "$pc_dir") "$place/by-pkg-config" > "$place/out"
tail -n 1 "$place/out"

mkdir "$place/project"
cp "$root/demos/embedded/embedded.c" "$place/project/"
cat > "$place/project/CMakeLists.txt" <<'TEXT'
cmake_minimum_required (VERSION 3.25)
project (outside C)
find_package (dongting-node REQUIRED)
find_package (dongting-client REQUIRED)
add_executable (by_cmake embedded.c)
target_link_libraries (by_cmake PRIVATE dongting::node dongting::client)
TEXT
cmake -S "$place/project" -B "$place/project/build" -DCMAKE_PREFIX_PATH="$place/usr" > /dev/null
cmake --build "$place/project/build" > /dev/null
"$place/project/build/by_cmake" > "$place/out"
tail -n 1 "$place/out"
