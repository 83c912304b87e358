#!/usr/bin/env bash
# Runs tests with real programs on a build with a sanitizer (make SANITIZE=KIND), and fails
# when it reports anything, whatever the tests themselves say.
#
#   tests/sanitize.sh address|undefined WORD...     words as tests/run takes them
#   tests/sanitize.sh thread [WORD...]              scenarios, as tests/fidelity/run.py has them
#
# BUILD is that build. Reports are kept in $BUILD/reports/, one file a process. What is no
# fault is in tests/sanitize/KIND.supp, each with its reason.
set -euo pipefail

cd "$(dirname "$0")/.."
export BUILD
kind=$1
shift
reports=$PWD/$BUILD/reports
known=$PWD/tests/sanitize/$kind.supp
common=log_path=$reports/report

rm -rf "$reports"
mkdir -p "$reports"
case $kind in
address)
    # The library comes before the runtime in programs of ours, so that it is called first
    # as in production. Into others the runtime is preloaded. They may leak; whether we do
    # is seen by tests/tools/valgrind.sh and by the units.
    export ASAN_OPTIONS=$common:halt_on_error=1:detect_leaks=0:verify_asan_link_order=0:suppressions=$known
    MTLS_TEST_PRELOAD=$("${CC:-gcc}" -print-file-name=libasan.so)
    export MTLS_TEST_PRELOAD
    # With the runtime preloaded, and nothing of ours, curl and wget wait for ever in
    # setlocale(); malloc_stats() is the runtime's own, and writes as that does.  What starts
    # in an environment of its own (compat/unnoticed.py) has no runtime.  The runtime refuses
    # RTLD_DEEPBIND, calls dlopen() itself, stands between us and libc, is one in a process,
    # wants to know the program's name from /proc, and much more stack.
    export MTLS_TEST_LEAVE_OUT="curl wget malloc_stats no_system_call_more start
        deepbind_data deepbind_caller by_handle found_by_name built_with_address
        built_with_address_static built_with_thread built_with_undefined
        small_stack exec_without_proc"
    ;;
undefined)
    export UBSAN_OPTIONS=$common:halt_on_error=1:print_stacktrace=1
    export MTLS_TEST_LEAVE_OUT=start # a time, which this build has no part in
    ;;
thread)
    # Only a program that is built with it can run: that of tests/fidelity.
    export TSAN_OPTIONS=$common:die_after_fork=0:atexit_sleep_ms=0:suppressions=$known
    ;;
*)
    sed -n '2,/^set/ s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

status=0
export TEST_TIMEOUT=${TEST_TIMEOUT:-1800}
if [ "$kind" = thread ]; then
    tests/fidelity/run.py -r "$@" || status=$?
else
    tests/run "$@" || status=$?
fi
found=0
for report in "$reports"/*; do
    # Else it is a note: of a stack that the runtime does not know, for one (clone(2)).
    if [ -e "$report" ] && grep -qE '^SUMMARY: |runtime error: ' "$report"; then
        found=$((found + 1))
        if [ "$found" -le 5 ]; then
            echo "---- $report"
            head -n 40 "$report"
        fi
    fi
done
echo "$kind: $found reports"
[ "$status" -eq 0 ] && [ "$found" -eq 0 ]
