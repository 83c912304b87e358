#!/bin/bash
# Every input that a fuzz target begins with, replayed once without a fuzzer.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

for source in "$ROOT"/tests/fuzz/*.c; do
    name=$(basename "$source" .c)
    check "$name has a corpus" test -n "$(ls -A "$ROOT/tests/fuzz/corpus/$name")"
    for input in "$ROOT/tests/fuzz/corpus/$name"/*; do
        check "$name: $(basename "$input")" timeout 20 "$BUILD/tests/fuzz/$name" "$input"
    done
done

finish
