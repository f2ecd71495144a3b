# lib.sh - what the demos of clusters share. Sourced by bash scripts, not run.
# shellcheck shell=bash

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${BUILD_DIR:-$root/build/release}
dtd=$build/dtkv/dtd
dtctl_program=$build/dtkv/cli/dtctl
for program in "$dtd" "$dtctl_program"; do
    [ -x "$program" ] || { echo "$program is not there; run scripts/start once, or set BUILD_DIR" >&2; exit 2; }
done
place=$(mktemp -d "${TMPDIR:-/tmp}/dongting-demo-XXXXXX")
declare -A pids=()
base_port=$((20000 + (RANDOM % 600) * 20)) # below those the kernel gives away

clean_up () {
    local pid
    [ -z "${writer:-}" ] || kill "$writer" 2> /dev/null || true
    for pid in "${pids[@]}"; do
        kill -CONT "$pid" 2> /dev/null || true
        kill -KILL "$pid" 2> /dev/null || true
    done
    wait 2> /dev/null || true
    rm -rf "$place"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say () { printf '\n== %s\n' "$*"; }
fail () {
    printf '\nFAILED: %s\n' "$*" >&2
    tail -n 8 "$place"/*.log >&2
    exit 1
}
peer () { echo "tcp://127.0.0.1:$((base_port + 2 * $1))"; }
service () { echo "tcp://127.0.0.1:$((base_port + 2 * $1 + 1))"; }
# members ID...: the nodes as the setting wants them.
members () {
    local id text=
    for id in "$@"; do text+="$id=$(peer "$id"),$(service "$id") "; done
    echo "${text% }"
}
# node ID [setting...]: start a node, or start it again.
node () {
    local id=$1
    shift
    "$dtd" --node-id "$id" --cluster-id 7 --data-dir "$place/$id" --log-file "$place/$id.log" \
        --replicate "$(peer "$id")" --service "$(service "$id")" --election-time 500ms --heartbeat 50ms "$@" \
        < /dev/null > /dev/null 2>> "$place/$id.log" &
    pids[$id]=$!
}
# ask IDS arguments...: dtctl against these nodes (ids joined by commas), within TIMEOUT (15s).
ask () {
    local list=$1 id endpoints=
    shift
    for id in ${list//,/ }; do endpoints+=${endpoints:+,}$(service "$id"); done
    "$dtctl_program" --endpoint "$endpoints" --timeout "${TIMEOUT:-15s}" "$@"
}
# until_true SECONDS command...: try again until it succeeds.
until_true () {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.1
    done
}
# leader IDS: the id of the node that leads.
leader () {
    local id
    id=$(ask "$1" members -o json | sed -n 's/.*"id":\([0-9]*\),"role":"leader".*/\1/p')
    [ -n "$id" ] || return 1
    echo "$id"
}
crash () { kill -KILL "${pids[$1]}"; wait "${pids[$1]}" 2> /dev/null || true; }
# expect WHAT FOUND WANTED: compare.
expect () {
    [ "$2" = "$3" ] || fail "$1: found '$2', expected '$3'"
    echo "   $1: $2   (as expected)"
}
# write_on IDS: put keys one after the other in the background until write_end; acknowledged ones go
# to a file.
write_on () {
    : > "$place/acked"
    (
        number=0
        while [ ! -e "$place/write-end" ]; do
            if ask "$1" put "load.k$number" "v$number" -p > /dev/null 2>&1; then
                echo "$number" >> "$place/acked"
            fi
            number=$((number + 1))
        done
    ) &
    writer=$!
}
acked () { wc -l < "$place/acked"; }
# write_more COUNT: wait until that many more were acknowledged.
write_more () {
    local reach=$(($(acked) + $1)) deadline=$((SECONDS + 30))
    until [ "$(acked)" -ge "$reach" ]; do
        [ $SECONDS -lt $deadline ] || fail "writes do not go on"
        sleep 0.05
    done
}
# write_end IDS: stop, and check that every acknowledged key is there.
write_end () {
    touch "$place/write-end"
    wait "$writer" || true
    local missing
    missing=$(comm -23 <(sed 's/^/k/' "$place/acked" | sort) <(ask "$1" ls load | sort))
    [ -z "$missing" ] || fail "acknowledged and lost: $missing"
    echo "   $(acked) writes were acknowledged, every one of them is there"
}
done_well () { printf '\nAll of it as expected.\n'; }
