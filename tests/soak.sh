#!/usr/bin/env bash
# Runs the suite again and again: what fails once in many times is a race, in the product
# or in a test, and is looked for until its cause is found.
#
#   tests/soak.sh [RUNS [PART...]]     RUNS times (default 10) each part, one after the other
#
# A part is a word as tests/run takes it (default: fidelity, compat), or "pairs", which needs
# the packages of check-compat. A run that fails does not end the soak; its output and the
# logs of all its files are kept in $BUILD/soak/PART-NUMBER/.
set -euo pipefail

cd "$(dirname "$0")/.."
export BUILD=${BUILD:-build}
runs=${1:-10}
shift $(($# > 0))
if [ "$#" -eq 0 ]; then
    set -- fidelity compat pairs
fi
kept=$BUILD/soak
dirty=0

for part in "$@"; do
    words=("$part")
    if [ "$part" = pairs ]; then
        words=(--pairs)
    fi
    for ((number = 1; number <= runs; number++)); do
        folder=$kept/$part-$number
        rm -rf "$folder"
        mkdir -p "$folder"
        started=$(date +%s)
        clean=yes
        tests/run "${words[@]}" >"$folder/output" 2>&1 || clean=no
        printf '%-10s run %d of %d: %s, %d s%s\n' "$part" "$number" "$runs" \
            "$(tail -n 1 "$folder/output")" $(($(date +%s) - started)) \
            "$([ "$clean" = yes ] || echo "  -> $folder")"
        if [ "$clean" = yes ]; then
            rm -r "$folder"
        else
            dirty=$((dirty + 1))
            cp -r "$BUILD/test-logs" "$folder/logs"
        fi
    done
done
echo "$dirty of $(($# * runs)) runs were not clean"
[ "$dirty" -eq 0 ]
