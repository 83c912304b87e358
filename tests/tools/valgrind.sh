#!/bin/bash
# Under memcheck: two hundred connections leave nothing behind and nothing wrong at either
# end.  The host is a program that allocates nothing, so that all that is seen is ours.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

count=200
blocks_max=60 # made once: policy, material, contexts; less than one a connection
echo_many=$BUILD/tests/helpers/echo_many
here=$(cd "$(dirname "$0")" && pwd)
cd "$TMP"

"$BUILD/bin/mtlsctl" ca init >/dev/null
"$BUILD/bin/mtlsctl" ca issue own --dns localhost --ip 127.0.0.1 >/dev/null
port=$(python3 -c 'import socket
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1])')
cat >policy.ini <<END
[shim]
log = $TMP/audit.jsonl
default_inbound = deny
default_outbound = deny
connect_wait = 30s
handshake_timeout = 60s
[identity own]
certificate = ca/own.pem
private_key = ca/own.key
trust = ca/ca.pem
[inbound test]
local = *:$port
mode = mtls
identity = own
[outbound test]
remote = *:$port
mode = mtls
identity = own
END

# Valgrind loads the library into the program itself: mtls-run would be what it looks at.
run() { # NAME
    MTLS_SHIM_POLICY=$TMP/policy.ini LD_PRELOAD=$BUILD/lib/libmtls_shim.so \
        valgrind --leak-check=full --errors-for-leak-kinds=definite,indirect --error-exitcode=99 \
        --suppressions="$here/valgrind.supp" --log-file="$1.log" "$echo_many" "$1" "$port" "$count" 2>"$1.err"
}

listens() {
    grep -q "$(printf ':%04X 00000000:0000 0A' "$port")" /proc/net/tcp
}

few_blocks() { # NAME
    local blocks
    blocks=$(sed -n 's/.*in use at exit: .* in \([0-9,]*\) blocks/\1/p' "$1.log" | tr -d ,)
    echo "$blocks blocks in use at exit"
    [ -n "$blocks" ] && [ "$blocks" -le "$blocks_max" ]
}

run server &
server=$!
tap_pid "$server"
wait_for 30 listens || cat server.log server.err

status=0
run client || status=$?
same "client: no error, nothing lost" 0 "$status"
status=0
wait "$server" || status=$?
same "server: no error, nothing lost" 0 "$status"
check "client: memory does not grow with connections" few_blocks client
check "server: memory does not grow with connections" few_blocks server
same "all of them were protected" $((2 * count)) "$(grep -c '"handshake_ok"' audit.jsonl)"
if [ "$tap_failed" -gt 0 ]; then
    tail -n 60 server.log client.log
fi
finish
