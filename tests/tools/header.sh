#!/bin/bash
# shim/mtls_shim.h is complete by itself, in C99 and in C++, and as it is installed.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

warnings=(-Wall -Wextra -Werror -fsyntax-only)
cat >"$TMP/use.c" <<'END'
#include <mtls_shim.h>
#include <sys/socket.h>

int ask(int fd, char *text);

int
ask(int fd, char *text)
{
    int state = MTLS_SHIM_FAILED;
    socklen_t len = sizeof(state);
    if (getsockopt(fd, SOL_MTLS_SHIM, MTLS_SHIM_STATE, &state, &len) != 0 ||
        state != MTLS_SHIM_OPEN) {
        return -1;
    }
    len = MTLS_SHIM_TEXT_MAX;
    return getsockopt(fd, SOL_MTLS_SHIM, MTLS_SHIM_PEER_SUBJECT, text, &len);
}
END

for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    check "$compiler, C99" $compiler -std=c99 "${warnings[@]}" -x c "$ROOT/shim/mtls_shim.h"
    check "$compiler, in use" $compiler -std=c99 -D_DEFAULT_SOURCE "${warnings[@]}" \
        -I"$ROOT/shim" "$TMP/use.c"
    # gcc's part for C++ is a package of its own.
    $compiler -x c++ -fsyntax-only /dev/null 2>/dev/null || continue
    check "$compiler, C++" $compiler -std=c++98 "${warnings[@]}" -x c++ "$ROOT/shim/mtls_shim.h"
    check "$compiler, in use with C++" $compiler -std=c++98 "${warnings[@]}" -I"$ROOT/shim" \
        -x c++ "$TMP/use.c"
done

options=$(grep -cE '^#define MTLS_SHIM_[A-Z0-9_]+ [0-9]+$' "$ROOT/shim/mtls_shim.h")
check "there are options" test "$options" -ge 9
same "no number twice" "" \
    "$(sed -nE 's/^#define MTLS_SHIM_[A-Z0-9_]+ ([0-9]+)$/\1/p' "$ROOT/shim/mtls_shim.h" |
        sort | uniq -d)"

finish
