#!/bin/bash
# What the library shows to the program that it is loaded into, and what it needs from it:
# it exports the functions of calls.def and nothing else, and needs nothing but glibc.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

library=$BUILD/lib/libmtls_shim.so
tables=("$ROOT/shim/interpose/calls.def" "$ROOT/shim/interpose/calls_glibc.def")

# The newest glibc that it may need: images with an older one cannot use it. Whatever is
# newer belongs in shim/libc: in the list of older versions, or among what is missing there.
newest_allowed=GLIBC_2.17

# The names of the table's rows; a row may span lines.
interposed() {
    cat "${tables[@]}" | sed -zE 's:/[*]([^*]|[*]+[^*/])*[*]+/::g' | tr '\n' ' ' |
        grep -oE 'CALL(_FD|_VARIADIC|_ALIAS)?\([^,()]*,[^,()]*,[[:space:]]*[A-Za-z_][A-Za-z0-9_]*' |
        sed 's/.*[[:space:],]//' | sort
}
exported() {
    nm -D --defined-only "$library" | awk '{ print $3 }' | sed 's/@.*//' | sort
}
# "SYMBOL VERSION" for each symbol that it needs; weak ones may be missing.
needed() { # [w]
    nm -D --undefined-only "$library" | awk -v kind="${1:-U}" '$1 == kind {
        n = split($2, part, "@"); print part[1], (n > 1 ? part[n] : "none") }' | sort
}

rows=$(cat "${tables[@]}" | grep -cE '^CALL(_FD|_VARIADIC|_ALIAS)?\(')
check "the table has rows" test "$rows" -ge 70
same "every row of the table is read" "$rows" "$(interposed | wc -l)"
same "no function is in the table twice" "" "$(interposed | uniq -d)"
same "exported is what is interposed, nothing else" "" \
    "$(diff <(interposed) <(exported | grep -v '^mtls_shim_') || true)"
same "exported are functions only" "" "$(nm -D --defined-only "$library" | awk '$2 != "T"')"
check "the loader sees them, too" test "$(readelf --dyn-syms -W "$library" |
    awk '$5 == "GLOBAL" && $6 == "DEFAULT" && $7 != "UND"' | wc -l)" -eq "$rows"

same "all that is needed is glibc's" "" "$(needed | grep -v ' GLIBC_2[.][0-9.]*$' || true)"
same "what may be missing" \
    "_ITM_deregisterTMCloneTable _ITM_registerTMCloneTable __gmon_start__ __lsan_register_root_region mtls_shim_is_tool" \
    "$(needed w | awk '$2 == "none" { print $1 }' | xargs)"
same "nothing of wolfSSL or inih goes in or out" "" \
    "$(nm -D "$library" | grep -iE ' (wolf|wc_|ini_|fp_|sp_|SendAlert)' || true)"
# All of them are glibc's own; ld-linux is where __tls_get_addr is.
same "no other library is needed" "" "$(readelf -d "$library" |
    sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vxE 'lib(c|m)\.so\.6|lib(pthread\.so\.0|dl\.so\.2)|ld-linux[a-z0-9-]*\.so\.[0-9]' || true)"
same "no path is searched" "" "$(readelf -d "$library" | grep -E 'RPATH|RUNPATH' || true)"
check "it stays when it is closed" grep -q NODELETE <(readelf -d "$library")
same "no part is writable and executable" "" \
    "$(readelf -lW "$library" | awk '$1 == "LOAD" || $1 == "GNU_STACK"' | grep RWE || true)"

newest=$(needed | awk '{ print $2 }' | sort -V | tail -n 1)
echo "# newest version needed: $newest, by:"
needed | awk -v version="$newest" '$2 == version { print "#   " $1 }'
same "no newer glibc than $newest_allowed is needed" "$newest_allowed" \
    "$(printf '%s\n' "$newest" "$newest_allowed" | sort -V | tail -n 1)"

finish
