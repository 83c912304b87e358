#!/bin/bash
# The policy's keys in the code and in mtls-shim-policy(5) are the same set, and so are
# those that are not supported yet, the cipher suites, groups and signature algorithms.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

page=$ROOT/config/policy.5

# "SECTION KEY" for each row of the table; rules of both directions are "rule".
keys_in_code() { # [ROWS THAT MATCH]
    sed -nE 's/^    \{"([a-z0-9_]+)", KEYS_([A-Z]+), KEYS_[A-Z]+, ([A-Za-z]+)\},$/\2 \1 \3/p' \
        "$ROOT/config/keys.c" | grep -E -- "${1:-.}" | awk '{
            section = tolower($1)
            if (section ~ /bound/) section = "rule"
            print section, $2
        }' | sort
}

# The same from the page; with "later" only those that are followed by the remark.
keys_in_page() { # [later]
    awk -v later="${1:-}" '
        /^\.Ss / {
            section = /\[shim\]/ ? "shim" : /\[identity/ ? "identity" : /\[outbound/ ? "rule" : ""
        }
        /^\.It Cm [a-z0-9_]+ = / {
            key = section != "" ? section " " $3 : ""
            if (key != "" && later == "") print key
            depth = 0
        }
        /^\.Bl / { depth++ }
        /^\.El/ { depth-- }
        /^\.Em Not supported yet/ && later != "" && key != "" && depth == 0 { print key }' "$page" |
        sort
}

check "there are keys" test "$(keys_in_code | wc -l)" -ge 30
same "keys" "$(keys_in_code)" "$(keys_in_page)"
same "keys that are not supported yet" "$(keys_in_code LATER)" "$(keys_in_page later)"
same "every row of the table is read" "$(grep -cE '^    \{"' "$ROOT/config/keys.c")" \
    "$(keys_in_code | wc -l)"
same "cipher suites" "$(grep -oE '"TLS_[A-Z0-9_]+"' "$ROOT/config/suites.c" | tr -d '"')" \
    "$(sed -n 's/^\.Li \(TLS_.*\)/\1/p' "$page")"

same "groups" "$(sed '/groups_usual/,$d' "$ROOT/config/groups.c" | grep -oE '"(X|P-)[A-Z0-9]+"' |
    tr -d '"')" \
    "$(sed -n '/^\.It Cm groups/,/^\.It Cm sig/s/^\.Li \([^ ]*\).*/\1/p' "$page")"

same "signature algorithms" \
    "$(grep -oE '"[a-z]+[a-z0-9_]+[0-9]"' "$ROOT/config/sigalgs.c" | tr -d '"')" \
    "$(sed -n '/^\.It Cm signature_algorithms/,/^\.El/s/^\.Li //p' "$page")"

# The page's own examples hold what they promise.
example() { # NUMBER
    awk -v want="$1" '/^\.Bd / { n++; on = 1; next } /^\.Ed/ { on = 0 } on && n == want' "$page"
}
cd "$TMP"
"$BUILD/bin/mtlsctl" ca init >/dev/null
"$BUILD/bin/mtlsctl" ca issue web >/dev/null
cp ca/ca.pem ca/web.pem ca/web.key .
example 1 >policy.ini
check "the first example is a policy" "$BUILD/bin/mtlsctl" check policy.ini
example 4 >policy.ini
check "the last example is a policy" "$BUILD/bin/mtlsctl" check policy.ini

finish
