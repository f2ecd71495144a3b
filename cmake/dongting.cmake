# Flags and helpers shared by every folder.

find_package (PkgConfig REQUIRED)
pkg_check_modules (ZMQ REQUIRED IMPORTED_TARGET libzmq)
pkg_check_modules (CZMQ REQUIRED IMPORTED_TARGET libczmq)
pkg_check_modules (MSGPACK REQUIRED IMPORTED_TARGET msgpack)
pkg_check_modules (URING REQUIRED IMPORTED_TARGET liburing)
pkg_check_modules (ISAL REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules (XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules (JANSSON REQUIRED IMPORTED_TARGET jansson)
find_package (Threads REQUIRED)

add_compile_options (-Wall -Wextra -Wshadow -Wvla -Werror -fno-strict-aliasing
                     -fstack-clash-protection -fno-omit-frame-pointer
                     $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
                     $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>)
add_compile_definitions (_GNU_SOURCE)
include_directories (${PROJECT_SOURCE_DIR})

if (DT_SANITIZE)
    add_compile_options (-fsanitize=${DT_SANITIZE} -fno-sanitize-recover=all -g)
    add_link_options (-fsanitize=${DT_SANITIZE})
endif ()

if (DT_FUZZ)
    # Coverage in the code under test too, not only in the target: the fuzzer is blind without it.
    add_compile_options (-fsanitize=fuzzer-no-link)
endif ()

# dt_library (name LINK targets... SOURCES files...)
# One static archive per part of the house; link order follows the floors.
function (dt_library name)
    cmake_parse_arguments (ARG "" "" "SOURCES;LINK" ${ARGN})
    add_library (${name} STATIC ${ARG_SOURCES})
    target_link_libraries (${name} PUBLIC ${ARG_LINK})
endfunction ()

# dt_program (name LINK targets... SOURCES files...)
function (dt_program name)
    cmake_parse_arguments (ARG "" "" "SOURCES;LINK" ${ARGN})
    add_executable (${name} ${ARG_SOURCES})
    target_link_libraries (${name} PRIVATE ${ARG_LINK})
endfunction ()

# dt_test (name LINK targets... SOURCES files...)
# A check program that ctest runs. Every test has a ceiling of 120 s.
function (dt_test name)
    cmake_parse_arguments (ARG "" "" "SOURCES;LINK" ${ARGN})
    pkg_check_modules (CHECK REQUIRED IMPORTED_TARGET check)
    add_executable (${name} ${ARG_SOURCES})
    target_link_libraries (${name} PRIVATE ${ARG_LINK} PkgConfig::CHECK)
    add_test (NAME ${name} COMMAND ${name})
    set_tests_properties (${name} PROPERTIES TIMEOUT 120)
endfunction ()

# dt_fuzz (name LINK targets... SOURCES files...)
# A libFuzzer target; with DT_FUZZ off the same file is still compiled into a runner that replays
# its corpus (tests/fuzz_main.c), so that findings stay tested with every compiler.
function (dt_fuzz name)
    cmake_parse_arguments (ARG "" "" "SOURCES;LINK" ${ARGN})
    if (DT_FUZZ)
        add_executable (${name} ${ARG_SOURCES})
        target_compile_options (${name} PRIVATE -fsanitize=fuzzer)
        target_link_options (${name} PRIVATE -fsanitize=fuzzer)
    else ()
        add_executable (${name} ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz_main.c)
        add_test (NAME ${name} COMMAND ${name} ${PROJECT_SOURCE_DIR}/tests/corpus/${name})
    endif ()
    target_link_libraries (${name} PRIVATE ${ARG_LINK})
endfunction ()
