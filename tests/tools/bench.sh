#!/bin/bash
# `make bench` itself: a short row gives both files, what cannot be measured is said, a load
# generator that hangs is ended, and whoever ends a run keeps what was measured.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

# bench NAME OPTION...: a run whose results are in $TMP/NAME.
bench() {
    local name=$1
    shift
    TMPDIR=$TMP "$ROOT/tests/bench/run" --quick --rounds 1 --seconds 0.2 --out "$TMP/$name" "$@" \
        >"$TMP/$name.out" 2>"$TMP/$name.err"
}

# results NAME EXPRESSION: prints what a Python expression makes of the results, `run`.
results() {
    python3 -c 'import json, sys; run = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' \
        "$TMP/$1/results.json" "$2"
}

status=0
bench short --only get-c1,size --variants plain,shim,nosuch || status=$?
same "a variant that is none: exit status" 1 "$status"
check "it is in the table's remarks" grep -q 'there is no variant nosuch' "$TMP/short/results.md"
check "a row of the table" grep -qE '^\| redis GET, 1 connection.*\| [0-9.,]+ \| [0-9.,]+ \(' \
    "$TMP/short/results.md"
same "samples" "['plain', 'shim']" \
    "$(results short 'sorted(s["variant"] for s in run["samples"] if s["row"] == "get-c1")')"
same "the machine's limits" True "$(results short 'run["limits"]["handshakes_s"] > 0')"
check "the table for README" grep -q '^| redis GET' <("$ROOT/tests/bench/run" --readme \
    --out "$TMP/short")

mkdir "$TMP/bin"
printf '#!/bin/sh\nexec sleep 60\n' >"$TMP/bin/redis-benchmark"
chmod +x "$TMP/bin/redis-benchmark"
status=0
PATH=$TMP/bin:$PATH bench hung --only get-c1,size --variants plain,shim --patience 1 || status=$?
same "a load that hangs: exit status" 1 "$status"
check "it is said" grep -q 'get-c1, plain: redis-benchmark did not end' "$TMP/hung/results.md"
same "the next row is measured" 2 \
    "$(results hung 'len([s for s in run["samples"] if s["row"] == "size"])')"

printf '#!/bin/sh\n: >"%s/started"\nexec sleep 60\n' "$TMP" >"$TMP/bin/redis-benchmark"
PATH=$TMP/bin:$PATH bench ended --only size,get-c1 --variants plain,shim &
run=$!
tap_pid "$run"
check "it has come to the load" wait_for 120 test -e "$TMP/started"
pid=$(pgrep -f "tests/bench/run .*$TMP/ended" | head -n 1)
kill -TERM "$pid"
status=0
wait "$run" || status=$?
same "a run that is ended: exit status" 1 "$status"
same "says so" SIGTERM "$(results ended 'run["interrupted"]')"
same "what was measured is there" 2 "$(results ended 'len(run["samples"])')"
none_left() {
    ! readlink /proc/[0-9]*/cwd | grep "$TMP/"
}
check "no server is left" none_left

finish
