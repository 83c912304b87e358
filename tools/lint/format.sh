#!/bin/sh
# Checks that clang-format would change nothing; says which files it would change.
#
#   format.sh FILE...
set -eu

bad=0
for file in "$@"; do
    "${CLANG_FORMAT:-clang-format}" --dry-run -Werror "$file" >/dev/null 2>&1 || {
        echo "$file: not in the form of .clang-format" >&2
        bad=$((bad + 1))
    }
done
if [ "$bad" -ne 0 ]; then
    echo "format: $bad files; run: make format" >&2
    exit 1
fi
