#!/bin/bash
# mtlsctl doctor: its verdict is mtls-run's, on made binaries and scripts; what it finds out
# about libraries, policies, users and processes.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

run=$BUILD/bin/mtls-run
ctl=$BUILD/bin/mtlsctl
cd "$TMP"
unset LD_PRELOAD MTLS_SHIM MTLS_SHIM_POLICY MTLS_SHIM_SERVICE MTLS_SHIM_LOG MTLS_SHIM_LOG_LEVEL

policy() { # FILE [LINE-OF-SHIM...]
    local file=$1
    shift
    printf '%s\n' "[shim]" "log = none" "default_inbound = deny" \
        "default_outbound = plaintext" "$@" "" "[identity web]" "certificate = ca/web.pem" \
        "private_key = ca/web.key" "trust = ca/ca.pem" >"$file"
}
"$ctl" ca init >/dev/null
"$ctl" ca issue web --dns localhost >/dev/null
policy policy.ini

# examined STATUS CODES ARGUMENT...: ends with the status, and its findings have all codes;
# a code with "!" before it is not there. Leaves the JSON in ./out.
examined() {
    local want=$1 codes=$2 status=0 code
    shift 2
    timeout 20 "$ctl" doctor --json "$@" >out 2>err </dev/null || status=$?
    if [ "$status" -ne "$want" ]; then
        echo "status $status, want $want: $(cat err out)"
        return 1
    fi
    if [ -s err ]; then
        echo "stderr: $(cat err)"
        return 1
    fi
    for code in $codes; do
        if [ "${code#!}" != "$code" ]; then
            ! grep -q "\"code\": \"${code#!}\"" out || { echo "there is $code: $(cat out)"; return 1; }
        else
            grep -q "\"code\": \"$code\"" out || { echo "no $code: $(cat out)"; return 1; }
        fi
    done
}
examine() { # NAME STATUS CODES ARGUMENT...
    local name=$1
    shift
    check "$name" examined "$@"
}

# ---- made binaries: what the doctor says of each, and that mtls-run says the same ---------

# like NAME STATUS CODES PROGRAM: as examine, and mtls-run agrees.
like() {
    local name=$1 status=0 want=126
    examine "$@" -p policy.ini
    shift 3
    "$run" -p policy.ini "$1" >/dev/null 2>run.err </dev/null || status=$?
    if grep -q '"covered": true' out; then
        want=0
    elif grep -q '"code": "not_found"' out; then
        want=127
    fi
    same "$name: mtls-run agrees" "$want" "$status"
}

cat >plain.c <<'C'
int main(void) { return 0; }
C
cat >net.c <<'C'
#include <sys/socket.h>
int main(int argc, char **argv)
{
    (void)argv;
    return argc > 5 ? connect(0, 0, 0) : 0;
}
C
cat >raw.c <<'C'
int main(int argc, char **argv)
{
    long result = 0;
    (void)argv;
    if (argc > 5)
        __asm__ volatile("mov $42, %%eax; syscall" : "=a"(result) : : "rcx", "r11", "memory");
    return (int)result;
}
C
gcc -o plain plain.c
gcc -o net net.c
gcc -static -o static net.c
gcc -static-pie -fPIE -o static-pie net.c
gcc -Wl,--dynamic-linker="$TMP/gone.so" -o no-loader net.c
cp plain damaged && printf '\377\377' | dd of=damaged bs=1 seek=54 conv=notrunc status=none
cp plain other-machine && printf '\267' | dd of=other-machine bs=1 seek=18 conv=notrunc status=none
cp plain word-size && printf '\001' | dd of=word-size bs=1 seek=4 conv=notrunc status=none
head -c 300 plain >cut-short && chmod +x cut-short
head -c 2000 net >cut-later && chmod +x cut-later

like "no network" 0 "loadable no_network !network" ./plain
like "network" 0 "loadable network !no_network !raw_calls" ./net
like "static" 1 "static !loadable" ./static
like "static-pie" 1 "static" ./static-pie
like "a loader that is not there" 1 "no_loader" ./no-loader
like "damaged headers" 1 "damaged" ./damaged
like "another processor" 1 "other_machine" ./other-machine
like "another word size" 1 "other_machine" ./word-size
like "not there" 1 "not_found" ./nothing
like "a folder" 1 "not_a_program" ./ca
touch mode && like "not executable" 1 "not_executable" ./mode
printf 'a\0b' >binary && chmod +x binary && like "neither ELF nor script" 1 "not_a_program" ./binary
# Whatever was cut off: no crash.
examine "cut short" 1 "!loadable" ./cut-short
timeout 20 "$ctl" doctor ./cut-later >/dev/null 2>&1 || status=$?
check "cut later: no crash" test "${status:-0}" -le 1
if [ "$(uname -m)" = x86_64 ]; then
    gcc -o raw raw.c
    like "system calls of its own" 0 "loadable raw_calls" ./raw
fi
if command -v musl-gcc >/dev/null; then
    musl-gcc -o musl net.c
    doctor=0
    "$ctl" doctor ./musl -p policy.ini >/dev/null || doctor=1
    theirs=0
    "$run" -p policy.ini ./musl >/dev/null 2>&1 || theirs=$?
    same "musl: mtls-run agrees" "$doctor" "$((theirs == 126))"
fi
if command -v go >/dev/null; then
    mkdir go-tmp
    export GOCACHE=$TMP/go-tmp GOFLAGS=-mod=mod GO111MODULE=off
    printf 'package main\nimport "net"\nfunc main() { net.Dial("tcp", "127.0.0.1:1") }\n' >dial.go
    CGO_ENABLED=0 go build -o go-static dial.go
    like "Go, static" 1 "static" ./go-static
    if CGO_ENABLED=1 go build -o go-dynamic dial.go 2>/dev/null; then
        like "Go, with cgo" 1 "go !loadable" ./go-dynamic
    fi
fi

# Libraries: found by RUNPATH with $ORIGIN, by nothing, and one that loads another.
mkdir -p lib/deep
printf 'int raw(void);\nint far(void) { return raw(); }\n' >far.c
cp raw.c rawlib.c && sed -i 's/int main(int argc, char \*\*argv)/int raw(void); int raw(void)/; s/(void)argv;/int argc = 0;/' rawlib.c
gcc -shared -fPIC -o lib/deep/libraw.so rawlib.c
# shellcheck disable=SC2016 # the loader's, not the shell's
gcc -shared -fPIC -Wl,-rpath,'$ORIGIN/deep' -o lib/libfar.so far.c -Llib/deep -lraw
printf 'int far(void);\nint main(void) { return far(); }\n' >near.c
# shellcheck disable=SC2016
gcc -Wl,-rpath,'${ORIGIN}/lib' -o near near.c -Llib -lfar -Wl,-rpath-link,lib/deep
examine "a library's library" 0 "loadable !missing_library" ./near
if [ "$(uname -m)" = x86_64 ]; then
    examine "system calls of a library" 0 "raw_calls" ./near
    check "the library is named" grep -q 'deep/libraw.so makes' out
fi
rm lib/deep/libraw.so
examine "a missing library" 0 "missing_library" ./near

# ---- scripts ----------------------------------------------------------------------------

script() { # FILE FIRST-LINE
    printf '%s\nexit 0\n' "$2" >"$1"
    chmod +x "$1"
}
script s-sh '#!/bin/sh'
script s-spaces "#! 	/bin/sh  	-e "
script s-none 'true'
script s-gone '#!/no/such/interpreter'
script s-static "#!$TMP/static"
script s-env '#!/usr/bin/env sh'
script s-env-split '#!/usr/bin/env -S A=b sh -e'
script s-env-gone '#!/usr/bin/env no-such-program-here'
script s-1 "#!$TMP/s-sh" && script s-2 "#!$TMP/s-1" && script s-3 "#!$TMP/s-2"
script s-4 "#!$TMP/s-3" && script s-5 "#!$TMP/s-4"
like "a script" 0 "loadable script" ./s-sh
like "spaces in its first line" 0 "loadable script" ./s-spaces
like "no #!" 0 "loadable script" ./s-none
like "no such interpreter" 1 "no_interpreter" ./s-gone
like "a static interpreter" 1 "static" ./s-static
like "env" 0 "loadable script" ./s-env
like "env -S" 0 "loadable script" ./s-env-split
like "env without its program" 1 "no_interpreter" ./s-env-gone
like "five scripts in a row" 1 "too_many_scripts" ./s-5

# ---- privileges ------------------------------------------------------------------------------

if [ "$(id -u)" -eq 0 ]; then
    chmod 755 "$TMP" && chmod 755 ca && chmod 644 ca/*.pem policy.ini
    cp net suid && chown nobody suid && chmod u+s suid
    cp net sgid && chgrp nogroup sgid && chmod g+xs sgid
    cp net suid-root && chmod u+s suid-root
    like "setuid" 1 "setuid" ./suid
    like "setgid" 1 "setgid" ./sgid
    like "setuid to who asks" 0 "loadable setuid_for_others" ./suid-root
    examine "setuid to who asks, for somebody else" 1 "setuid" ./suid-root --user nobody
    if cp net caps && setcap cap_net_bind_service=ep caps 2>/dev/null; then
        like "file capabilities" 1 "capabilities" ./caps
    fi

    # The key is root's alone.
    examine "a key that the user cannot read" 78 "loadable unreadable_file" ./net \
        -p policy.ini --user nobody
    check "it is named" grep -q 'nobody cannot read the private key .*/ca/web.key' out
    chown nobody ca/web.key
    examine "a key that is the user's" 0 "readable_files !unreadable_file" ./net \
        -p policy.ini --user nobody
    chown root ca/web.key && chmod 700 ca
    examine "a folder on the way" 78 "unreadable_file" ./net -p policy.ini --user nobody
    check "the folder is named" grep -q 'ca.pem (.*/ca)' out
    chmod 755 ca
    mkdir metrics log
    policy places.ini "metrics_dir = metrics"
    sed -i 's/log = none/log = log\/audit.jsonl/' places.ini
    chmod 644 places.ini && chown nobody ca/web.key
    examine "places where the user cannot write" 0 "unwritable" ./net -p places.ini --user nobody
    same "both are named" 2 "$(grep -c '"code": "unwritable"' out)"
    chmod 1777 metrics && chown nobody log
    examine "places where the user can write" 0 "writable !unwritable" ./net -p places.ini \
        --user nobody
    chown root ca/web.key
fi

# ---- the policy --------------------------------------------------------------------------------

examine "no policy" 0 "loadable !policy" ./net
examine "a policy that is not there" 78 "policy !missing_file" ./net -p gone.ini
same "... is told once" 1 "$(grep -c gone.ini <(grep '"text"' out))"
check "... without a line" grep -q "gone.ini: cannot read the policy" out
sed 's/ca\/web.key/ca\/gone.key/' policy.ini >gone-key.ini
examine "a key that is not there" 78 "policy !missing_file !readable_files" ./net -p gone-key.ini
same "... is told once" 1 "$(grep -c "gone\\.key" out)"
policy gone-places.ini "metrics_dir = no-such-place"
examine "a metrics_dir that is not there" 0 "missing_file" ./net -p gone-places.ini
check "... is to be made as the pages say" grep -q 'mode 1770' out
policy bad.ini "no_such_key = 1"
examine "a bad policy" 78 "policy" ./net -p bad.ini
examine "the program comes first" 1 "static policy" ./static -p bad.ini
examine "no rule" 0 "no_rule identity" ./net -p policy.ini
cat >>policy.ini <<'INI'

[inbound one]
service = other
mode = mtls
identity = web

[inbound two]
service = web
mode = permissive
identity = web

[inbound three]
local = *:80
mode = mtls
identity = web

[outbound four]
program = */net
remote = *:5432
mode = mtls
identity = web
INI
examine "rules" 0 "rule_never rule_lets_plaintext rule_shadowed rule_applies !no_rule" ./net \
    -p policy.ini -s web
check "a rule for another service" grep -q 'inbound one\] never applies.*service' out
check "a rule behind one that takes all" grep -q "inbound three\] never applies.*'two'" out
check "a rule for this program" grep -q 'outbound four\] can apply' out
examine "rules of another program" 0 "rule_never" ./plain -p policy.ini -s web
check "a rule for another program" grep -q 'outbound four\] never applies.*program' out
"$ctl" ca issue short --days 1 >/dev/null
sed 's/ca\/web/ca\/short/' policy.ini >short.ini
examine "a certificate that ends soon" 0 "expires_soon" ./net -p short.ini

# ---- processes ---------------------------------------------------------------------------------

examine "no such process" 1 "not_found" 4194304
cat >serve.py <<'PY'
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.readline()
PY
mkfifo hold
python=$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))')
exec 9<>hold
"$python" serve.py <hold >port &
plain_pid=$!
tap_pid "$plain_pid"
wait_for 10 test -s port
examine "a process without the library" 1 "not_loaded process loadable" "$plain_pid" -p policy.ini
mkdir -p counted && chmod 1777 counted
policy counted.ini "metrics_dir = counted"
printf '\n[inbound all]\nmode = mtls\nidentity = web\n' >>counted.ini
"$run" -p counted.ini -s web "$python" serve.py <hold >port2 &
pid=$!
tap_pid "$pid"
wait_for 10 test -s port2
examine "a process with it" 0 "loaded process listens connections version !not_loaded" "$pid"
check "its policy is known from its environment" grep -q "\"policy\": \"$TMP/counted.ini\"" out
check "its service, too" grep -q '"service": "web"' out
check "where it listens" grep -q "listens on 127.0.0.1:$(cat port2): \[inbound all\], mode = mtls" out
MTLS_SHIM=off LD_PRELOAD=$BUILD/lib/libmtls_shim.so "$python" serve.py <hold >port3 &
off_pid=$!
tap_pid "$off_pid"
wait_for 10 test -s port3
examine "a process with MTLS_SHIM=off" 1 "switched_off" "$off_pid"

# ---- forms --------------------------------------------------------------------------------------

status=0
"$ctl" doctor >/dev/null 2>&1 || status=$?
same "nothing named" 2 "$status"
status=0
"$ctl" doctor --user no-such-user ./net >/dev/null 2>&1 || status=$?
same "no such user" 2 "$status"
"$ctl" doctor ./net >text
check "the last line is the verdict" grep -qx '=> ./net can be covered' <(tail -n 1 text)
check "text has no colours but on a terminal" bash -c '! grep -q $'"'\\033'"' text'
check "JSON is JSON" python3 -c 'import json, sys; json.load(open("out"))'

finish
