#!/bin/bash
# What mtls-shim(7) lists is what the code has: events with their levels, fields and reasons
# of the audit log, variables, options, wrapped functions.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

page=$ROOT/shim/mtls-shim.7

# section TITLE: the page from that .Sh or .Ss to the next one.
section() {
    awk -v title="$1" '/^\.S[hs] / { inside = substr($0, 5) == title; next } inside' "$page"
}
# items TITLE MACRO: the words of the section's list, one a line; lines may go on behind \.
items() {
    section "$1" | sed -z 's/\\\n//g' | sed -n "s/^\.It $2 //p" | sed 's/ , /\n/g'
}

reasons() {
    sed -z 's/\\\n//g' "$ROOT/shim/session/reason.h" | grep -oE 'X\([A-Z_]+, *"[a-z_]+"' |
        cut -d'"' -f2 | grep -vx none
}
events() {
    sed -nE 's/^    \[AUDIT_[A-Z_]+\] = \{"([a-z_]+)", POLICY_LEVEL_([A-Z]+)\},$/\1 Pq \L\2/p' \
        "$ROOT/shim/session/audit_line.c"
}
fields() {
    sed -z 's/,\n */, /g' "$ROOT/shim/session/audit_line.c" |
        grep -oE '(audit_json|put)_[a-z]+\(&?json, "[a-z0-9_]+"' | cut -d'"' -f2
}
variables() {
    grep -rhoE '"(MTLS_[A-Z0-9_]+|LD_PRELOAD)"' --include='*.[ch]' "$ROOT/shim" "$ROOT/config" |
        tr -d '"'
}
options() {
    sed -nE 's/^#define (MTLS_SHIM_[A-Z0-9_]+) [0-9]+$/\1/p' "$ROOT/shim/mtls_shim.h" |
        grep -vx MTLS_SHIM_TEXT_MAX
}
functions() {
    cat "$ROOT"/shim/interpose/calls{,_glibc}.def |
        sed -zE 's:/[*]([^*]|[*]+[^*/])*[*]+/::g' | tr '\n' ' ' |
        grep -oE 'CALL(_FD|_VARIADIC|_ALIAS)?\([^,()]*,[^,()]*,[[:space:]]*[A-Za-z_][A-Za-z0-9_]*' |
        sed 's/.*[[:space:],]//' | grep -v '^__'
}

# same_set NAME AT_LEAST CODE PAGE
same_set() {
    local code pages
    code=$(printf '%s\n' "$3" | sort -u)
    pages=$(printf '%s\n' "$4" | sort)
    check "$1: at least $2 are found" test "$(printf '%s\n' "$code" | wc -l)" -ge "$2"
    same "$1: code and page" "" "$(diff <(printf '%s\n' "$code") <(printf '%s\n' "$pages") || true)"
}

same_set events 8 "$(events)" "$(items Events Li)"
same_set fields 25 "$(fields)" "$(items Fields Li)"
same_set reasons 20 "$(reasons)" "$(items Reasons Li)"
same_set variables 9 "$(variables)" "$(items ENVIRONMENT Ev)"
same_set options 9 "$(options)" "$(items 'What programs may ask' Dv)"
same_set functions 60 "$(functions)" \
    "$(section 'What is wrapped' | sed -nE 's/^\.Fn ([A-Za-z0-9_]+).*/\1/p')"
same "every event has its row" "$(grep -cE '^    AUDIT_[A-Z_]+,' "$ROOT/shim/session/audit.h")" \
    "$(events | wc -l)"

value() { sed -nE "s/^#define $1 \"?([^\" ]*).*/\\1/p" "$ROOT/config/policy.h"; }
check "the default policy" grep -qxF ".Pa $(value POLICY_DEFAULT_PATH) ." "$page"
check "the exit status" grep -qx "$(value POLICY_EXIT_CONFIG)" <(section 'EXIT STATUS')

# Where there is mandoc: no mistakes, but for pages that are not installed here.
if command -v mandoc >/dev/null; then
    for file in shim/mtls-shim.7 config/policy.5 tools/run/mtls-run.1 tools/ctl/mtlsctl.1; do
        same "$file is clean" "" "$(mandoc -Tlint -Wwarning "$ROOT/$file" 2>/dev/null || true)"
    done
    same "mtls-shim.7 is in style" "" "$(mandoc -Tlint "$page" 2>/dev/null |
        grep -vE 'referenced manual not found|operating system explicitly' || true)"
fi

# The architecture names what there is.
architecture=$ROOT/shim/README.md
# quoted REGEX: what stands in backquotes and fits it.
quoted() {
    grep -oE "\`$1\`" "$architecture" | tr -d '\`()' | sort -u
}
functions=$(quoted '[a-z_0-9]+\(\)')
check "it names functions" test "$(wc -l <<<"$functions")" -ge 60
same "functions that it names and that are not there" "" "$(while read -r name; do
    grep -rqE "(^|[ *])$name\\(" --include='*.[ch]' "$ROOT/shim" "$ROOT/config" || echo "$name"
done <<<"$functions")"
same "paths that it names and that are not there" "" "$(
    quoted '(tests|tools|config|shim)/[a-z_0-9./-]+' | while read -r file; do
        test -e "$ROOT/$file" || echo "$file"
    done)"
same "files that it names and that are not there" "" "$(
    quoted '([a-z]+/)?[a-z_0-9*]+\.(c|h|def)' | while read -r file; do
        find "$ROOT/shim" "$ROOT/config" "$ROOT/tests" -path "*/$file" | grep -q . || echo "$file"
    done)"

finish
