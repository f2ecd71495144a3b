# lib.sh - what start, stop and test share. Sourced by bash scripts, not run.
# shellcheck shell=bash

# Print a line of this script's own on stderr or stdout, with the script's name in front.
say () {
    printf '%s: %s\n' "${0##*/}" "$*"
}
complain () {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}
die () {
    complain "$@"
    exit 1
}

# is_node PID DATA: the process is a dtd that runs on this data folder. A pid file may outlive its
# process and the number may belong to somebody else by now.
is_node () {
    local pid=$1 data=$2 program
    [[ $pid =~ ^[1-9][0-9]*$ ]] || return 1
    program=$(readlink "/proc/$pid/exe" 2> /dev/null) || return 1
    program=${program% (deleted)}
    [ "${program##*/}" = dtd ] || return 1
    tr '\0' '\n' < "/proc/$pid/cmdline" 2> /dev/null | grep -qxF -e "$data" -e "--data-dir=$data"
}

# running_node PID_FILE DATA: print the pid of the node that the pid file names, if it runs.
running_node () {
    local pid
    [ -r "$1" ] || return 1
    read -r pid < "$1" || [ -n "$pid" ] || return 1
    is_node "$pid" "$2" || return 1
    printf '%s\n' "$pid"
}

# use_ccache: compile through ccache where it is installed.
use_ccache () {
    if command -v ccache > /dev/null; then
        export CMAKE_C_COMPILER_LAUNCHER=ccache
    fi
}
