#!/bin/bash
# README.md shows what is so: its first policy, the commands around it, the reasons.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

readme=$ROOT/README.md
PATH=$BUILD/bin:$PATH
cd "$TMP"

# block LANGUAGE MARKER: the first such block of code after the comment that has MARKER.
block() {
    awk -v fence="\`\`\`$1" -v marker="<!-- $2" '
        index($0, marker) { found = 1 }
        inside && $0 == "```" { exit }
        inside { print }
        found && $0 == fence { inside = 1 }' "$readme"
}

# The output of the block's commands ("$ ..."), as the block itself would show it.
replay() {
    local line
    while read -r line; do
        printf '$ %s\n' "$line"
        bash -c "$line" 2>&1 || true
    done < <(sed -n 's/^\$ //p')
}

block ini "first policy" >policy.ini
check "there is a first policy" grep -q '^\[inbound' policy.ini
while read -r line; do
    check "it works: $line" bash -c "$line"
done < <(sed -n 's/^    \(mtlsctl ca .*\)/\1/p' "$readme")
check "the policy is right" mtlsctl check policy.ini
same "the commands say what is shown" "$(block console explain)" \
    "$(block console explain | replay | sed "s#$TMP/#/etc/mtls-shim/#g")"

check "the audit line is as the schema says" \
    eval "block json 'audit line' | tr -d '\n' >audit.line && echo >>audit.line &&
        python3 $ROOT/tests/lib/audit_schema.py audit.line"

while read -r link; do
    check "there is a $link" test -e "$ROOT/$link"
done < <(grep -o '](\([^)#]*\))' "$readme" | tr -d ']()')
while read -r page; do
    check "there is a page $page" grep -rqx ".Dt ${page^^}" "$ROOT/tools" "$ROOT/config" "$ROOT/shim"
done < <(grep -oE '[a-z-]+\([157]\)' "$readme" | tr -d ')' | tr '(' ' ' | sort -u)

while read -r code; do
    check "reason $code is explained" grep -qF "\`$code\`" "$readme"
done < <(grep -o 'X([A-Z_]*, "[a-z_]*"' "$ROOT/shim/session/reason.h" | cut -d'"' -f2 |
    grep -vx none)

while read -r target; do
    check "make $target exists" grep -q "^$target:" "$ROOT/Makefile"
done < <(grep -oE '(^    |`)make [a-z-]+' "$readme" | awk '{ print $2 }' | sort -u)

finish
