#!/bin/bash
# Programs that are linked with musl: there is no library for them, so they do not start
# where it is wanted, whichever way, rather than run in plaintext.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

unset LD_PRELOAD MTLS_SHIM MTLS_SHIM_POLICY MTLS_SHIM_SERVICE MTLS_SHIM_LOG
folder=$BUILD/container/mtls-shim
cd "$TMP"
cat >program.c <<'C'
#include <stdio.h>

int
main(void)
{
    return puts("started") < 0;
}
C
musl-gcc -o program program.c
same "the program by itself" started "$(./program)"
printf '[shim]\nlog = none\ndefault_inbound = deny\ndefault_outbound = deny\n' >policy.ini
export MTLS_SHIM_POLICY=$TMP/policy.ini

# refused NAME STATUS WORDS COMMAND...: ends so, and the program has not started.
refused() {
    local name=$1 want=$2 words=$3 status=0
    shift 3
    "$@" >out 2>err || status=$?
    same "$name: status" "$want" "$status"
    check "$name: not started" test ! -s out
    check "$name: says why" grep -q "$words" err
}
refused "the entrypoint" 126 'another C library (musl)' "$folder/entrypoint" ./program
refused "mtls-run of the build" 126 'another C library (musl)' "$BUILD/bin/mtls-run" ./program
# musl's loader stops a program whose preloaded library it cannot bind.
refused "LD_PRELOAD alone" 127 'Error relocating' \
    env LD_PRELOAD="$folder/glibc/libmtls_shim.so" ./program
refused "from a program under the shim" 127 'Error relocating' \
    "$folder/entrypoint" sh -c './program; exit $?'
same "MTLS_SHIM=off starts it" started "$(MTLS_SHIM=off "$folder/entrypoint" ./program)"

finish
