#!/bin/bash
# The files for those who operate services: units, tmpfiles.d, logrotate, AppArmor, the
# example policy. Each is read by the program that it is for, and does what it says.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

packaging=$ROOT/tools/packaging
examples=$packaging/examples
run=$BUILD/bin/mtls-run
cd "$TMP"
unset LD_PRELOAD MTLS_SHIM MTLS_SHIM_POLICY MTLS_SHIM_SERVICE MTLS_SHIM_LOG

# ---- the example policy -------------------------------------------------------------------

"$BUILD/bin/mtlsctl" ca init >/dev/null
"$BUILD/bin/mtlsctl" ca issue orders --dns localhost --uri spiffe://corp/ns/shop/sa/orders \
    >/dev/null
cp ca/ca.pem ca/orders.pem ca/orders.key .
cp "$examples/policy.ini" .
check "the example policy is one" "$BUILD/bin/mtlsctl" check policy.ini

# ---- units ---------------------------------------------------------------------------------

# A root with the service that the examples speak of.
root=$TMP/root
units=$root/etc/systemd/system
mkdir -p "$units/ordersd.service.d" "$root/usr/sbin"
DESTDIR=$root PREFIX=/usr "$packaging/install.sh" install "$BUILD"
cp /bin/true "$root/usr/sbin/ordersd"
verify() { systemd-analyze verify --man=no --root="$root" "$1"; }
unit() { # [DROP-IN]
    printf '%s\n' '[Unit]' 'Description=orders' 'DefaultDependencies=no' '[Service]' 'Type=notify' \
        'ExecStart=/usr/sbin/ordersd --port 8080' >"$units/ordersd.service"
    rm -f "$units/ordersd.service.d"/*
    [ $# -eq 0 ] || cp "$1" "$units/ordersd.service.d/override.conf"
}
if command -v systemd-analyze >/dev/null; then
    unit
    same "a unit without a drop-in" "" "$(verify ordersd.service 2>&1)"
    for drop_in in run preload; do
        unit "$examples/$drop_in.conf"
        same "$drop_in.conf" "" "$(verify ordersd.service 2>&1)"
    done
    # What is commented as good is one, too: every setting of the list, with the value shown.
    unit "$examples/run.conf"
    { grep -oE '[A-Z][A-Za-z]+=(yes|invisible|pid|@system-service)' "$examples/run.conf" || true; } \
        >"$TMP/settings"
    check "there are settings" test "$(wc -l <"$TMP/settings")" -ge 10
    { echo '[Service]'; cat "$TMP/settings"; } >"$units/ordersd.service.d/hard.conf"
    same "run.conf with all that it allows" "" "$(verify ordersd.service 2>&1)"
    sed -i 's/^LogsDirectoryMode/LogDirectoryMode/' "$units/ordersd.service.d/override.conf"
    check "a misspelt setting would be seen" grep -q LogDirectoryMode \
        <(verify ordersd.service 2>&1)
    cp "$examples/mtls-shim-metrics.service" "$units/"
    sed -i '/^DefaultDependencies/d; s/^\[Unit\]/&\nDefaultDependencies=no/' \
        "$units/mtls-shim-metrics.service"
    sed -i '/^WantedBy/d; /^\[Install\]/d' "$units/mtls-shim-metrics.service"
    same "mtls-shim-metrics.service" "" "$(verify mtls-shim-metrics.service 2>&1)"
fi

# ---- what a filter of system calls must let through ------------------------------------------

cat >exchange.ini <<INI
[shim]
log = $TMP/audit.jsonl
metrics_dir = $TMP/counted
default_inbound = deny
default_outbound = deny
[identity orders]
certificate = orders.pem
private_key = orders.key
trust = ca.pem
[outbound out]
remote = *:*
mode = mtls
identity = orders
peer_name = localhost
[inbound in]
local = *:*
mode = mtls
identity = orders
INI
mkdir counted
cat >exchange.py <<'PY'
"""A server and its child, a client: fork, a governed connection in both, and its end."""
import os, socket
listener = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    client = socket.create_connection(listener.getsockname())
    client.sendall(b"hello")
    client.shutdown(socket.SHUT_WR)
    assert client.recv(100) == b"HELLO", "the answer"
    os._exit(0)
connection, _ = listener.accept()
if os.fork() == 0:
    data = connection.recv(100)
    connection.sendall(data.upper())
    os._exit(0)
connection.close()
for _ in range(2):
    assert os.wait()[1] == 0
print("done")
PY
python=$(command -v /usr/bin/python3 || command -v python3)
same "an exchange" "done" "$("$run" -p exchange.ini "$python" exchange.py 2>&1)"
same "... by TLS" 2 "$(grep -c handshake_ok audit.jsonl)"
same "memory that is never writable and executable is enough" "done" "$(
    "$python" -c 'import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
# PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN
if libc.prctl(65, 1, 0, 0, 0) != 0 and ctypes.get_errno() == 22:
    print("done")  # a kernel before 6.3
    sys.exit()
os.execv(sys.argv[1], sys.argv[1:])' "$run" -p exchange.ini "$python" exchange.py 2>&1)"
# A filter of SystemCallFilter=@system-service would let all of it through.
calls_of() { # SET: the calls of a set, those of the sets within it among them
    local line
    systemd-analyze syscall-filter "$1" 2>/dev/null | sed -n 's/^    \([@a-z0-9_-]*\)$/\1/p' |
        while read -r line; do
            case $line in @*) calls_of "$line" ;; *) echo "$line" ;; esac
        done
}
if command -v systemd-analyze >/dev/null && command -v strace >/dev/null; then
    strace -f -qq -e signal=none -o calls "$run" -p exchange.ini "$python" exchange.py >/dev/null
    sed -nE 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' calls | sort -u >used
    check "calls are seen" grep -qx memfd_create used
    calls_of @system-service | sort -u >allowed
    check "the set is known" test "$(wc -l <allowed)" -ge 200
    same "no call is outside of @system-service" "" "$(comm -23 used allowed | xargs)"
fi

# ---- metrics_dir -----------------------------------------------------------------------------

# as USER GROUPS COMMAND...
as() {
    local user=$1 groups=$2
    shift 2
    setpriv --reuid="$user" --regid="$user" --groups="$groups" "$@"
}
if [ "$(id -u)" -eq 0 ] && command -v systemd-tmpfiles >/dev/null; then
    mkdir -p "$TMP/host/etc" "$TMP/host/usr/lib/sysusers.d" "$TMP/host/usr/lib/tmpfiles.d" \
        "$TMP/host/run"
    printf 'root:x:0:0::/:/bin/sh\n' >"$TMP/host/etc/passwd"
    printf 'root:x:0:\n' >"$TMP/host/etc/group"
    cp "$packaging/sysusers.conf" "$TMP/host/usr/lib/sysusers.d/mtls-shim.conf"
    cp "$packaging/tmpfiles.conf" "$TMP/host/usr/lib/tmpfiles.d/mtls-shim.conf"
    check "systemd-sysusers" systemd-sysusers --root="$TMP/host" mtls-shim.conf
    group=$(awk -F: '$1 == "mtls-shim" { print $3 }' "$TMP/host/etc/group")
    check "there is the group" test -n "$group"
    check "systemd-tmpfiles" systemd-tmpfiles --root="$TMP/host" --create mtls-shim.conf
    dir=$TMP/host/run/mtls-shim
    same "mode and group of /run/mtls-shim" "1770 0 $group" "$(stat -c '%a %u %g' "$dir")"

    chmod 755 "$TMP" "$TMP/host" "$TMP/host/run"
    # Two services; 61001 and 61002 are no users of this host.
    for user in 61001 61002; do
        mkdir "of-$user"
        cp orders.key orders.pem ca.pem "of-$user"
        sed -e "s|^metrics_dir.*|metrics_dir = $dir|" -e 's/^log.*/log = none/' exchange.ini \
            >"of-$user/exchange.ini"
        chown -R "$user:$user" "of-$user"
        same "a service of user $user" "done" "$(as "$user" "$group" "$run" -p \
            "of-$user/exchange.ini" "$python" exchange.py 2>&1)"
        same "... has its counters in a file of its own" "640 $user $user" \
            "$(stat -c '%a %u %g' "$dir/ended.$user")"
    done
    check "another user of the group cannot read them" eval "! as 61002 $group cat $dir/ended.61001"
    check "... nor change them" eval "! as 61002 $group sh -c 'echo >>$dir/ended.61001'"
    check "... nor remove them" eval "! as 61002 $group rm -f $dir/ended.61001"
    check "... nor put something in their place" eval \
        "! as 61002 $group mv -f $dir/ended.61002 $dir/ended.61001"
    check "somebody else can make nothing there" eval "! as 61003 61003 touch $dir/x"
    same "a service without the group runs, and is not counted" "done " "$(
        mkdir of-61003 && cp of-61001/* of-61003 && chown -R 61003:61003 of-61003
        as 61003 61003 "$run" -p of-61003/exchange.ini "$python" exchange.py 2>/dev/null |
            tr '\n' ' '
        find "$dir" -name '*61003*')"
    # As mtls-shim-metrics.service runs it: no user who may write, one capability.
    reader() {
        setpriv --reuid=61004 --regid=61004 --clear-groups --inh-caps=-all,+dac_read_search \
            --ambient-caps=-all,+dac_read_search --bounding-set=-all,+dac_read_search \
            --no-new-privs "$BUILD/bin/mtlsctl" metrics --dir "$dir"
    }
    same "one capability reads them all" 4 "$(reader |
        awk '/^mtls_shim_connections_total/ { sum += $NF } END { print sum + 0 }')"
    same "... and misses none" 0 "$(reader | awk '/^mtls_shim_unreadable_files/ { print $NF }')"
fi

# ---- logrotate -------------------------------------------------------------------------------

rotate() { /usr/sbin/logrotate -f -s "$TMP/rotate.state" "$TMP/rotate.conf"; }
if [ -x /usr/sbin/logrotate ]; then
    mkdir -p "$TMP/logs/orders"
    cat >talk.py <<'PY'
"""A server that serves a client of its own for each line that it reads."""
import socket, sys, threading
listener = socket.create_server(("127.0.0.1", 0))
def client():
    with socket.create_connection(listener.getsockname()) as connection:
        connection.sendall(b"x")
        connection.recv(1)
for line in sys.stdin:
    thread = threading.Thread(target=client)
    thread.start()
    connection, _ = listener.accept()
    connection.recv(1)
    connection.sendall(b"y")
    connection.close()
    thread.join()
    print("served", flush=True)
PY
    lines() { cat "$TMP"/logs/orders/audit.jsonl* 2>/dev/null | grep -c handshake_ok || true; }
    for way in create copytruncate nocreate; do
        rm -f logs/orders/* rotate.state
        sed -e "s|/var/log/mtls-shim|$TMP/logs|g" "$examples/logrotate" >rotate.conf
        [ $way = create ] || sed -i "s/^    create\$/    $way/; /compress/d" rotate.conf
        sed "s|^log = .*|log = $TMP/logs/orders/audit.jsonl|" exchange.ini >talk.ini
        coproc talk { "$run" -p talk.ini "$python" talk.py 2>"$TMP/talk.err"; }
        # shellcheck disable=SC2154 # coproc sets it
        tap_pid "$talk_PID"
        serve() { echo >&"${talk[1]}" && read -r -t 20 _ <&"${talk[0]}"; }
        check "$way: a connection" serve
        same "$way: logrotate has no complaint" "" "$(rotate 2>&1)"
        case $way in
        copytruncate) new() { [ -s logs/orders/audit.jsonl ]; } ;;
        *) new() { grep -qs handshake_ok logs/orders/audit.jsonl; } ;;
        esac
        served=1
        for _ in $(seq 100); do
            serve || break
            served=$((served + 1))
            ! new || break
            sleep 0.1
        done
        check "$way: the new file is written to" new
        same "$way: no line is lost" "$((2 * served))" "$(lines)"
        eval "exec ${talk[1]}>&-"
        wait "$talk_PID" || true
    done
fi

# ---- AppArmor --------------------------------------------------------------------------------

parser=$(command -v apparmor_parser || echo /sbin/apparmor_parser)
if [ -x "$parser" ]; then
    mkdir -p aa/abstractions aa/tunables
    cp "$examples/apparmor" aa/abstractions/mtls-shim
    printf '%s\n' 'abi <abi/3.0>,' 'include <tunables/global>' 'profile ordersd /usr/sbin/ordersd {' \
        '  include <abstractions/base>' '  include <abstractions/mtls-shim>' '}' >aa/ordersd
    parse() { "$parser" --skip-kernel-load --skip-cache --base /etc/apparmor.d -I "$TMP/aa" "$1"; }
    check "the abstraction is in AppArmor's language" parse aa/ordersd
    sed -i 's/mr,$/mrq,/' aa/abstractions/mtls-shim
    check "a mistake in it would be seen" eval "! parse aa/ordersd"
fi

finish
