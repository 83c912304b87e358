#!/bin/bash
# Under memcheck: many connections leave nothing behind and nothing wrong at either end, in
# TLS 1.3 and 1.2, whoever ends them, and when the server refuses the client's certificate.
# The host is a program that allocates nothing, so that all that is seen is ours.
#
# CONNECTIONS (default 100) is how many of each kind; make memcheck has 10,000.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

count=${CONNECTIONS:-100}
blocks_max=60 # made once: policy, material, contexts; less than one a connection
echo_many=$BUILD/tests/helpers/echo_many
here=$(cd "$(dirname "$0")" && pwd)
cd "$TMP"

for ca in own other; do
    mkdir "$ca"
    (cd "$ca" && "$BUILD/bin/mtlsctl" ca init >/dev/null &&
        "$BUILD/bin/mtlsctl" ca issue peer --dns localhost --ip 127.0.0.1 >/dev/null)
done
# Not one of those that the kernel gives to outgoing connections.
port=$(python3 -c 'import sys
sys.path.insert(0, sys.argv[1])
import procs
print(procs.free_port())' "$ROOT/tests/lib")

policy() { # NAME WHOSE-CERTIFICATE MORE
    cat >"$1.ini" <<END
[shim]
log = $TMP/$1.jsonl
default_inbound = deny
default_outbound = deny
connect_wait = 30s
handshake_timeout = 60s
[identity peer]
certificate = $2/ca/peer.pem
private_key = $2/ca/peer.key
trust = own/ca/ca.pem
$3
[inbound test]
local = *:$port
mode = mtls
identity = peer
[outbound test]
remote = *:$port
mode = mtls
identity = peer
END
}

# Valgrind loads the library into the program itself: mtls-run would be what it looks at.
run() { # server|client NAME [refused]
    MTLS_SHIM_POLICY=$TMP/$2.ini LD_PRELOAD=$BUILD/lib/libmtls_shim.so \
        valgrind --leak-check=full --errors-for-leak-kinds=definite,indirect --error-exitcode=99 \
        --suppressions="$here/valgrind.supp" --log-file="$1.log" \
        "$echo_many" "$1" "$port" "$count" ${3+"$3"} 2>"$1.err"
}

listens() {
    grep -q "$(printf ':%04X 00000000:0000 0A' "$port")" /proc/net/tcp
}

few_blocks() { # server|client
    local blocks
    blocks=$(sed -n 's/.*in use at exit: .* in \([0-9,]*\) blocks/\1/p' "$1.log" | tr -d ,)
    echo "$blocks blocks in use at exit"
    [ -n "$blocks" ] && [ "$blocks" -le "$blocks_max" ]
}

# both TITLE SERVER-POLICY CLIENT-POLICY EVENT [refused]: that many connections, and as many
# lines about the EVENT in the server's log.
both() {
    local title=$1 one=$2 other=$3 event=$4 server status=0 before=$tap_failed
    shift 4
    SECONDS=0
    run server "$one" "$@" &
    server=$!
    tap_pid "$server"
    wait_for 60 listens || cat server.log server.err
    run client "$other" "$@" || status=$?
    same "$title, client: no error, nothing lost" 0 "$status"
    status=0
    wait "$server" || status=$?
    same "$title, server: no error, nothing lost" 0 "$status"
    check "$title, client: memory does not grow with connections" few_blocks client
    check "$title, server: memory does not grow with connections" few_blocks server
    same "$title: each is in the log" "$count" "$(grep -c "\"$event\"" "$one.jsonl")"
    echo "# $title: $count connections in $SECONDS s"
    if [ "$tap_failed" -gt "$before" ]; then
        head -n 60 server.log client.log # errors come first, then what is lost
        cat server.err client.err
    fi
}

only_1_2="min_version = 1.2
ciphers = TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
policy server13 own ""
policy client13 own ""
policy server12 own "$only_1_2"
policy client12 own "$only_1_2"
policy judge own ""
policy stranger other ""

both "TLS 1.3" server13 client13 handshake_ok
same "TLS 1.3 it was" "$count" "$(grep -c '"version":"1.3"' <(grep handshake_ok client13.jsonl))"
both "TLS 1.2" server12 client12 handshake_ok
same "TLS 1.2 it was" "$count" "$(grep -c '"version":"1.2"' <(grep handshake_ok client12.jsonl))"
both "refused" judge stranger handshake_failed refused
check "all lines are as the schema says" python3 "$ROOT/tests/lib/audit_schema.py" ./*.jsonl
finish
