# shellcheck shell=bash
# What the shell tests share; sourced, never run:
#
#   . "$(dirname "$0")/../lib/tap.sh"
#
# Sets BUILD (where the build's output is, absolute), ROOT (the tree) and TMP (a new
# directory, removed at the end; every process named to tap_pid is ended too).
# A test ends with `finish`.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$(realpath -m "${BUILD:-$ROOT/build}")
TMP=$(mktemp -d "${TMPDIR:-/tmp}/mtls-test.XXXXXX")
export ROOT BUILD TMP

tap_passed=0
tap_failed=0
tap_finished=no
tap_pids=()

# ok NAME / not_ok NAME WHY...: one result.
ok() {
    tap_passed=$((tap_passed + 1))
    printf 'ok %s\n' "$1"
}

not_ok() {
    local name=$1
    shift
    tap_failed=$((tap_failed + 1))
    printf 'not ok %s - %s\n' "$name" "$(printf '%s' "$*" | tr '\n' ' ')"
}

# check NAME COMMAND...: passes when the command does; its output is the reason else.
check() {
    local name=$1 out status=0
    shift
    out=$("$@" 2>&1) || status=$?
    if [ "$status" -eq 0 ]; then
        ok "$name"
    else
        not_ok "$name" "status $status: $(printf '%s' "$out" | tail -n 5)"
    fi
}

# same NAME WANT GOT: passes when both are the same text.
same() {
    if [ "$2" = "$3" ]; then
        ok "$1"
    else
        not_ok "$1" "want '$2', got '$3'"
    fi
}

# tap_pid PID...: processes to be ended with the test.
tap_pid() {
    tap_pids+=("$@")
}

# wait_for SECONDS COMMAND...: until the command passes; fails when time is up.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then
            return 1
        fi
        sleep 0.05
    done
}

# finish: prints the closing line and leaves; non-zero when anything failed.
finish() {
    tap_finished=yes
    printf '%d passed, %d failed\n' "$tap_passed" "$tap_failed"
    [ "$tap_failed" -eq 0 ]
    exit
}

tap_cleanup() {
    local status=$? pid
    for pid in ${tap_pids[@]+"${tap_pids[@]}"}; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    for pid in ${tap_pids[@]+"${tap_pids[@]}"}; do
        wait_for 3 eval "! kill -0 $pid" || kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf "$TMP"
    # A script that dies half-way must not look like one that passed.
    if [ "$tap_finished" = no ]; then
        tap_failed=$((tap_failed + 1))
        printf 'not ok %s - the script ended early (status %d)\n' "$(basename "$0")" "$status"
        printf '%d passed, %d failed\n' "$tap_passed" "$tap_failed"
        exit 1
    fi
    exit "$status"
}
trap tap_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
