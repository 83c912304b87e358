#!/bin/bash
# mtls-run: what it refuses, with which status and words, and that it starts nothing then.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

run=$BUILD/bin/mtls-run
cd "$TMP"
unset LD_PRELOAD MTLS_SHIM MTLS_SHIM_POLICY MTLS_SHIM_SERVICE MTLS_SHIM_LOG MTLS_SHIM_LOG_LEVEL

# ---- what the checks need -----------------------------------------------------------

"$BUILD/bin/mtlsctl" ca init >/dev/null
"$BUILD/bin/mtlsctl" ca issue web >/dev/null
cp ca/ca.pem ca/web.pem ca/web.key .

policy() { # FILE KEY CERTIFICATE
    cat >"$1" <<INI
[shim]
log = none
default_inbound = plaintext
default_outbound = plaintext

[identity web]
certificate = $3
private_key = $2
trust = ca.pem
INI
}
policy policy.ini web.key web.pem

# Leaves a mark: a program that says it ran.
cat >mark.c <<'C'
#include <fcntl.h>
#include <unistd.h>

int
main(void)
{
    int fd = open("ran", O_WRONLY | O_CREAT, 0600);

    return fd >= 0 && close(fd) == 0 ? 0 : 1;
}
C
gcc -o mark mark.c
gcc -static -o mark-static mark.c
gcc -static-pie -fPIE -o mark-static-pie mark.c
gcc -Wl,--dynamic-linker="$TMP/ld-musl-gone.so.1" -o mark-musl mark.c
gcc -Wl,--dynamic-linker="$TMP/ld-musl-test.so.1" -o mark-musl-there mark.c
touch ld-musl-test.so.1

script() { # FILE FIRST-LINE
    printf '%s\ntouch ran\n' "$2" >"$1"
    chmod +x "$1"
}

# refused NAME STATUS PATTERN [OPTION...] [--] PROGRAM...: ends with the status, says one
# line that begins with "mtls-run: ", prints nothing on stdout and starts nothing.
refused() {
    local name=$1 want=$2 pattern=$3 status=0
    shift 3
    rm -f ran
    PATH=${search:-$PATH} "$run" -p policy.ini "$@" >out 2>err </dev/null || status=$?
    if [ "$status" -ne "$want" ]; then
        not_ok "$name" "status $status, want $want: $(cat err)"
    elif [ "$(wc -l <err)" -ne 1 ] || ! grep -qE "^mtls-run: .*$pattern" err; then
        not_ok "$name" "want one line with '$pattern', got: $(cat err)"
    elif [ -e ran ] || [ -s out ]; then
        not_ok "$name" "something was started"
    else
        ok "$name"
    fi
}

# started NAME [OPTION...] [--] PROGRAM...: runs, leaves its mark, is quiet.
started() {
    local name=$1 status=0
    shift
    rm -f ran
    PATH=${search:-$PATH} "$run" -p policy.ini "$@" >out 2>err </dev/null || status=$?
    if [ "$status" -eq 0 ] && [ -e ran ] && [ ! -s err ]; then
        ok "$name"
    else
        not_ok "$name" "status $status, $(ls ran 2>&1): $(cat err)"
    fi
}

# ---- programs -----------------------------------------------------------------------

started "a dynamic program" ./mark
started "a dynamic program after --" -- ./mark
search=$TMP:$PATH started "a program found in PATH" mark
search=$PATH: started "a program in the current directory, by an empty element of PATH" mark

refused "no such program in PATH" 127 "no-such-program: no such program in PATH" no-such-program
refused "no such file" 127 "no such program" ./no-such-program
refused "a file under a file" 127 "Not a directory" ./mark/x
refused "an empty name" 127 "no such program" ""
refused "a directory" 126 "is a directory" ./ca
touch plain
refused "not executable" 126 "not executable" ./plain
mkdir bin && touch bin/plain
search=$TMP/bin refused "not executable in PATH" 126 "found in PATH, but not executable" plain

refused "static" 126 "statically linked" ./mark-static
refused "static-pie" 126 "statically linked" ./mark-static-pie
refused "a loader that is not there" 126 "needs a loader that is not there" ./mark-musl
refused "musl" 126 "another C library \(musl\)" ./mark-musl-there

# To the user who runs it already, it changes nothing.
cp mark mark-own && chmod u+s,g+xs mark-own
started "setuid and setgid to the very user" ./mark-own
if [ "$(id -u)" -eq 0 ]; then
    cp mark mark-suid && chown nobody mark-suid && chmod u+s mark-suid
    refused "setuid" 126 "is setuid" ./mark-suid
    cp mark mark-sgid && chgrp nogroup mark-sgid && chmod g+xs mark-sgid
    refused "setgid" 126 "is setgid" ./mark-sgid
    cp mark mark-caps
    # cap_net_bind_service=ep: vfs_cap_data of version 2, effective
    python3 -c 'import os, struct
os.setxattr("mark-caps", "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))'
    refused "file capabilities" 126 "file capabilities" ./mark-caps
else
    echo "# setuid, setgid, file capabilities: setting them needs root, not checked"
fi

# The class byte of the ELF header turned round: a 32-bit file.
cp mark mark-32
printf '\x01' | dd of=mark-32 bs=1 seek=4 conv=notrunc status=none
refused "another word size" 126 "another kind of processor" ./mark-32
cp mark mark-arch
printf '\xf7\x00' | dd of=mark-arch bs=1 seek=18 conv=notrunc status=none
refused "another processor" 126 "another kind of processor" ./mark-arch
head -c 100 mark >mark-cut && chmod +x mark-cut
refused "a cut-off program" 126 "damaged ELF" ./mark-cut
head -c 64 /dev/zero >zeros && chmod +x zeros
refused "neither program nor script" 126 "neither an ELF program nor a script" ./zeros

# ---- scripts ------------------------------------------------------------------------

script s-sh '#!/bin/sh'
started "a script" ./s-sh
script s-env '#!/usr/bin/env bash'
started "a script with env" ./s-env
script s-env-split '#!/usr/bin/env -S -u HOME A=1 bash -e'
started "a script with env -S" ./s-env-split
script s-none 'true'
started "a script without #!" ./s-none
printf '#!%s/mark-static\n' "$TMP" >s-static && chmod +x s-static
refused "a script with a static interpreter" 126 "interpreter $TMP/mark-static is statically" \
    ./s-static
cp mark-static static-interpreter
script s-env-static '#!/usr/bin/env static-interpreter'
search=$TMP:$PATH refused "a static interpreter behind env" 126 "statically linked" ./s-env-static
script s-env-none '#!/usr/bin/env no-such-interpreter'
refused "env that will not find its program" 126 "no-such-interpreter" ./s-env-none
script s-gone '#!/no/such/interpreter'
refused "an interpreter that is not there" 126 "interpreter /no/such/interpreter" ./s-gone
script s-nest-4 '#!/bin/sh'
for i in 3 2 1; do
    script "s-nest-$i" "#!$TMP/s-nest-$((i + 1))"
done
started "scripts as interpreters of scripts" ./s-nest-1
script s-loop "#!$TMP/s-loop"
refused "a script that is its own interpreter" 126 "one script too many" ./s-loop

# ---- policies -----------------------------------------------------------------------

# bad_policy NAME PATTERN FILE: 78, each problem as FILE:LINE: TEXT, nothing started.
bad_policy() {
    local name=$1 pattern=$2 status=0
    rm -f ran
    "$run" -p "$3" ./mark >out 2>err </dev/null || status=$?
    if [ "$status" -ne 78 ]; then
        not_ok "$name" "status $status, want 78: $(cat err)"
    elif ! grep -qE "^$TMP/$3:.*$pattern" err; then
        not_ok "$name" "want '$3:LINE: ...$pattern', got: $(cat err)"
    elif [ "$(grep -vc "^$TMP/$3:" err)" -ne 1 ] ||
        ! tail -n 1 err | grep -q "^mtls-run: ./mark was not started"; then
        not_ok "$name" "want one last line of mtls-run's own, got: $(cat err)"
    elif [ -e ran ] || [ -s out ]; then
        not_ok "$name" "something was started"
    else
        ok "$name"
    fi
}

bad_policy "no such policy" "" missing.ini
printf '[shim]\nlog = none\nfrobnicate = 1\nconnect_wait = soon\n' >bad.ini
bad_policy "an unknown key" "[:]?.*frobnicate" bad.ini
bad_policy "a bad value, in the same run" "connect_wait" bad.ini
same "problems have their lines" "3 4" "$(grep -oE 'bad.ini:(3|4):' err | grep -oE '[34]:' |
    tr -d : | sort -u | xargs)"

cp web.key loose.key && chmod 644 loose.key
policy loose.ini loose.key web.pem
bad_policy "a key that others can read" "loose.key" loose.ini
"$BUILD/bin/mtlsctl" ca issue other >/dev/null
cp ca/other.key .
policy other.ini other.key web.pem
bad_policy "a key of another certificate" "" other.ini
policy gone.ini gone.key web.pem
bad_policy "a key that is not there" "gone.key" gone.ini

openssl req -new -key web.key -subj /CN=web -out web.csr
mkdir -p demo && touch demo/index.txt && echo 01 >demo/serial
openssl ca -batch -notext -in web.csr -out expired.pem -cert ca/ca.pem -keyfile ca/ca.key \
    -startdate 20200101000000Z -enddate 20210101000000Z -config <(
        printf '%s\n' '[ca]' 'default_ca=d' '[d]' 'database=demo/index.txt' 'serial=demo/serial' \
            'new_certs_dir=demo' 'default_md=sha256' 'policy=p' 'x509_extensions=x' \
            '[p]' 'commonName=supplied' '[x]' 'basicConstraints=CA:FALSE'
    ) 2>/dev/null
policy expired.ini web.key expired.pem
bad_policy "an own certificate that has expired" "expired" expired.ini

# ---- environment --------------------------------------------------------------------

library=$(realpath "$BUILD/lib/libmtls_shim.so")
show() {
    env - PATH="$PATH" "$@"
}
same "LD_PRELOAD is set" "$library" "$(show "$run" -p policy.ini printenv LD_PRELOAD)"
cp "$library" libother.so
gcc -shared -fPIC -o libother.so -x c /dev/null
same "LD_PRELOAD keeps what is there" "$library:$TMP/libother.so" \
    "$(show LD_PRELOAD="$TMP/libother.so" "$run" -p policy.ini printenv LD_PRELOAD)"
same "LD_PRELOAD has the library once" "$library:$TMP/libother.so" \
    "$(show LD_PRELOAD=" $TMP/libother.so $library" MTLS_SHIM=off sh -c \
        "MTLS_SHIM=on exec '$run' -p policy.ini printenv LD_PRELOAD")"
same "the policy's path is made absolute" "$TMP/policy.ini" \
    "$(show "$run" -p policy.ini printenv MTLS_SHIM_POLICY)"
same "the policy may come from the environment" "$TMP/policy.ini" \
    "$(show MTLS_SHIM_POLICY=policy.ini "$run" printenv MTLS_SHIM_POLICY)"
same "MTLS_SHIM is on" on "$(show "$run" -p policy.ini printenv MTLS_SHIM)"
same "the service" billing "$(show "$run" -s billing -p policy.ini printenv MTLS_SHIM_SERVICE)"
same "no service unless given" "" "$(show "$run" -p policy.ini printenv MTLS_SHIM_SERVICE || true)"
same "MTLS_SHIM=off leaves LD_PRELOAD alone" "" \
    "$(show MTLS_SHIM=off "$run" -p policy.ini printenv LD_PRELOAD || true)"
rm -f ran
check "MTLS_SHIM=off starts static programs" show MTLS_SHIM=off "$run" -p missing.ini ./mark-static
check "... and they run" test -e ran
MTLS_SHIM=maybe refused "MTLS_SHIM=maybe" 78 "must be on or off" ./mark
# shellcheck disable=SC2016 # for the shell that is started
same "argv[0] is as given" sh "$("$run" -p policy.ini sh -c 'echo "$0"')"
status=0
"$run" -p policy.ini sh -c 'exit 7' || status=$?
same "the program's status is passed on" 7 "$status"

# ---- installed layout, options ------------------------------------------------------

mkdir -p prefix/bin prefix/lib/mtls-shim
cp "$run" prefix/bin/
rm -f ran
status=0
prefix/bin/mtls-run -p policy.ini ./mark 2>err || status=$?
same "without the library: status" 125 "$status"
check "without the library: says so" grep -q "^mtls-run: libmtls_shim.so is neither in" err
check "without the library: nothing started" test ! -e ran
cp "$library" prefix/lib/mtls-shim/
same "installed place of the library" "$TMP/prefix/lib/mtls-shim/libmtls_shim.so" \
    "$(prefix/bin/mtls-run -p policy.ini printenv LD_PRELOAD)"
mkdir nameless && cp -r prefix/* nameless/
gcc -shared -fPIC -o nameless/lib/mtls-shim/libmtls_shim.so -x c /dev/null
status=0
rm -f ran
nameless/bin/mtls-run -p policy.ini ./mark 2>err || status=$?
same "a library that does not say which C library it is for: status" 125 "$status"
check "... nothing started" test ! -e ran
mkdir 'odd prefix' && cp -r prefix/* 'odd prefix/'
status=0
'odd prefix/bin/mtls-run' -p policy.ini ./mark 2>err || status=$?
same "a place that LD_PRELOAD cannot express" 125 "$status"

"$run" -v -p policy.ini ./s-env 2>err
for word in "library $library" "policy $TMP/policy.ini" "program ./s-env" "interpreter .*/bash"; do
    check "-v says ${word%% *}" grep -q "^mtls-run: $word" err
done
check "--help" grep -q "^usage: mtls-run \[-p POLICY\] \[-s SERVICE\] \[-v\]" <("$run" --help)
check "--version" grep -qE "^mtls-run [0-9]+\.[0-9]+" <("$run" --version)
for bad in -x --frob -p; do
    status=0
    "$run" "$bad" 2>err || status=$?
    same "wrong option $bad: status" 125 "$status"
    check "wrong option $bad: words" grep -q "^mtls-run: $bad: " err
done

finish
