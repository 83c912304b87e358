#!/bin/sh
# Checks that what lies below the wrappers calls none of the functions that they replace:
# such a call would come back into the shim, and recurse or deadlock.
#
#   symbols.sh FILE...     objects and archives of the lower layers
#
# The names come from shim/interpose/calls*.def; exceptions, each with its reason, from
# symbols.allow beside this script.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
calls=$here/../../shim/interpose/calls.def
allow=$here/symbols.allow

if [ ! -f "$calls" ]; then
    echo "symbols: $calls is not there: cannot tell which functions are interposed" >&2
    exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# CALL(family, ret, name, (params), (args)) and its relatives; rows may span lines.
cat "${calls%.def}"*.def | tr '\n' ' ' | sed 's|/\*[^*]*\*/||g' |
    grep -oE '[A-Z_]*CALL[A-Z_]*\([^,()]*,[^,()]*,[[:space:]]*[a-z_][a-z0-9_]*' |
    sed 's/.*[[:space:],]//' | sort -u >"$work/names"
if [ "$(wc -l <"$work/names")" -lt 10 ]; then
    echo "symbols: found only $(wc -l <"$work/names") names in $calls: has its form changed?" >&2
    exit 1
fi

for file in "$@"; do
    nm -Au "$file" 2>/dev/null | awk -v file="$file" '{
        member = $1
        sub(/:$/, "", member)
        sub(/.*[\/:]/, "", member)
        symbol = $NF
        sub(/@.*/, "", symbol)
        print member, symbol
    }'
done | sort -u >"$work/used"

awk -v allow="$allow" '
    function matches(text, glob) {
        gsub(/[.]/, "[.]", glob)
        gsub(/[*]/, ".*", glob)
        return text ~ "^" glob "$"
    }
    FILENAME == allow {
        if ($0 !~ /^#/ && NF >= 2) { member[++rows] = $1; name[rows] = $2 }
        next
    }
    FILENAME ~ /names$/ { interposed[$1] = 1; next }
    $2 in interposed {
        ok = 0
        for (i = 1; i <= rows; i++)
            if (name[i] == $2 && matches($1, member[i])) { ok = 1; used[i] = 1 }
        if (!ok) { print $1 ": calls " $2 ", which the shim interposes"; bad = 1 }
    }
    END { exit bad }' "$allow" "$work/names" "$work/used" >&2 || {
    echo "symbols: call the real function through its pointer, or, where the shim can" >&2
    echo "symbols: never get there on a governed socket, add a line to $allow" >&2
    exit 1
}
