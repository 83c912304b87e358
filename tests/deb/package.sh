#!/bin/bash
# The Debian package of `make deb`, in a copy-on-write root of its own: installed, used,
# upgraded while programs run and are started, and purged.
set -euo pipefail

# A mount namespace of its own, before anything is set up in it.
if [ "${PACKAGE_TEST_ALONE:-}" != yes ]; then
    exec env PACKAGE_TEST_ALONE=yes unshare --mount "$0"
fi

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

unset LD_PRELOAD MTLS_SHIM MTLS_SHIM_POLICY MTLS_SHIM_SERVICE
version=$(sed -n 's/^VERSION := //p' "$ROOT/Makefile")
built=$(echo "$BUILD"/deb/mtls-shim_"$version"_*.deb)
library=/usr/lib/mtls-shim/libmtls_shim.so
check "the package is there" test -f "$built"

layer=$TMP/layer
root=$layer/root
mkdir "$layer"
mount -t tmpfs none "$layer"
mkdir "$layer/upper" "$layer/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$root"
mount --bind /proc "$root/proc"
mount --rbind /dev "$root/dev"
rm -rf "$root/etc/mtls-shim" "$root/run/mtls-shim"
mkdir "$root/srv/test"
inside() { chroot "$root" "$@"; }

# The same package, as the next version would be.
next=${version%.*}.$((${version##*.} + 1))
dpkg-deb -R "$built" "$TMP/next"
sed -i "s/^Version: .*/Version: $next/" "$TMP/next/DEBIAN/control"
for file in "$TMP/next$library" "$TMP/next/usr/bin/mtls-run"; do
    VERSION=$version NEXT=$next perl -0pi -e \
        's/\Q$ENV{VERSION}\E(?=\0|, wolfSSL)/$ENV{NEXT}/g' "$file"
done
(cd "$TMP/next" && find . -type f -path './usr/*' -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
dpkg-deb --root-owner-group -b "$TMP/next" "$root/srv/test/next.deb" >/dev/null
cp "$built" "$root/srv/test/first.deb"

ours() { # what has our name in the root, but for dpkg's books
    find "$layer/upper" ! -type d ! -type c ! -path '*/var/lib/dpkg/*' ! -path '*/srv/test/*' \
        \( -path '*mtls*' -o -path '*/usr/*' \) ! -path '*/tmp/*' ! -path '*/__pycache__/*' \
        -printf '%P\n' | sort
}

# ---- installed -----------------------------------------------------------------------------

same "nothing of it is there before" "" "$(ours)"
check "dpkg -i" inside dpkg -i /srv/test/first.deb
same "its state" "install ok installed" \
    "$(inside dpkg-query -W -f "\${Status}" mtls-shim)"
same "dpkg finds all as it was packed" "" "$(inside dpkg -V mtls-shim)"
check "the group" inside getent group mtls-shim
same "/run/mtls-shim" "1770 root mtls-shim" "$(inside stat -c '%a %U %G' /run/mtls-shim)"
check "no policy is there that nobody has written" test ! -e "$root/etc/mtls-shim"
status=0
inside mtls-run true 2>"$TMP/err" || status=$?
same "without a policy nothing is started" 78 "$status"
same "versions" "mtls-run $version $library $version" \
    "$(inside mtls-run --version | sed 's/, wolfSSL.*//' | xargs)"
for page in mtls-run.1 mtlsctl.1 mtls-shim-policy.5 mtls-shim.7; do
    check "the page $page" test -f "$root/usr/share/man/man${page##*.}/$page.gz"
done
if [ -f "$root/usr/share/bash-completion/bash_completion" ]; then
    for tool in mtls-run mtlsctl; do
        check "completion of $tool is found" inside bash -c \
            ". /usr/share/bash-completion/bash_completion; _completion_loader $tool || [ \$? = 124 ]
            complete -p $tool | grep -q _mtls"
    done
fi

# ---- used ------------------------------------------------------------------------------------

test=$root/srv/test
inside sh -ec 'mkdir /etc/mtls-shim && cd /etc/mtls-shim && mtlsctl ca init >/dev/null
    mtlsctl ca issue orders --dns localhost --uri spiffe://corp/ns/shop/sa/orders >/dev/null
    cp ca/ca.pem ca/orders.pem ca/orders.key .
    sed "s|^log = .*|log = /srv/test/audit.jsonl|" /usr/share/doc/mtls-shim/examples/policy.ini |
        sed "s|^local = .*|local = *:*|" >policy.ini
    mtlsctl check policy.ini'
# Serves one connection after the other, each by a program that it starts, and one for ever.
cat >"$test/server.py" <<'PY'
import socket, subprocess, threading
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
def serve(connection):
    with connection:
        while data := connection.recv(100):
            if data.startswith(b"maps"):
                # The answer of a new program, on the connection itself.
                subprocess.run(["sh", "-c", "grep -c libmtls_shim.so /proc/self/maps; "
                                "echo $LD_PRELOAD"], stdout=connection)
            else:
                connection.sendall(data)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
PY
chroot "$root" mtls-run -s orders -- /usr/bin/python3 /srv/test/server.py >"$TMP/port" &
server=$!
tap_pid "$server"
check "the server" wait_for 30 test -s "$TMP/port"
port=$(cat "$TMP/port")
client() {
    openssl s_client -quiet -no_ign_eof -connect "127.0.0.1:$port" -CAfile "$root/etc/mtls-shim/ca.pem" \
        -cert "$root/etc/mtls-shim/orders.pem" -key "$root/etc/mtls-shim/orders.key" \
        -verify_return_error 2>/dev/null
}
coproc lasting { client; }
# shellcheck disable=SC2154 # coproc sets it
tap_pid "$lasting_PID"
answered() { # WORD [LINES]: what the lasting connection says
    echo "$1" >&"${lasting[1]}"
    for _ in $(seq "${2:-1}"); do
        read -r -t 30 answer <&"${lasting[0]}" && echo "$answer"
    done
}
same "an exchange by mutual TLS" before "$(answered before)"
same "... which the log has" spiffe "$(grep handshake_ok "$test/audit.jsonl" |
    grep -o 'URI:spiffe' | head -n 1 | cut -d: -f2)"
same "... and the metrics" 1 "$(inside mtlsctl metrics -d /run/mtls-shim |
    awk '/^mtls_shim_open_connections.*inbound/ { open += $NF } END { print open }')"

# ---- upgraded ----------------------------------------------------------------------------------

cat >"$test/starter.sh" <<'SH'
cd /srv/test
export LD_PRELOAD=/usr/lib/mtls-shim/libmtls_shim.so
while [ ! -e stop ]; do
    grep -q libmtls_shim.so /proc/self/maps 2>>said || echo "started without the library" >>said
    echo >>count
done
SH
inside sh /srv/test/starter.sh 2>>"$test/said" &
starter=$!
tap_pid "$starter"
more_than() { [ "$(wc -l <"$test/count")" -gt "$1" ]; }
check "programs are started" wait_for 60 more_than 3
for deb in next first next; do
    check "dpkg -i $deb.deb" inside dpkg -i "/srv/test/$deb.deb"
    wait_for 60 more_than "$(($(wc -l <"$test/count") + 3))" || true
done
touch "$test/stop"
wait "$starter" || true
same "none was started without the library" "" "$(cat "$test/said")"
same "the new version" "mtls-run $next $library $next" \
    "$(inside mtls-run --version 2>&1 | sed 's/, wolfSSL.*//' | xargs)"
same "a connection from before goes on" after "$(answered after)"
check "the program has the old library" grep -q 'libmtls_shim.so.*(deleted)' \
    "/proc/$server/maps"
maps=$(answered maps 2)
same "what it starts has the library, and writes by TLS" "yes $library" \
    "$(echo "$maps" | sed '1s/^[1-9].*/yes/' | xargs)"
kill -TERM "$lasting_PID" "$server" 2>/dev/null || true
wait "$server" 2>/dev/null || true

# ---- purged ------------------------------------------------------------------------------------

rm -rf "$root/etc/mtls-shim"
check "dpkg --purge" inside dpkg --purge mtls-shim
same "nothing of it is left" "" "$(ours | grep -v '^run/mtls-shim/' || true)"
status=0
inside dpkg-query -W mtls-shim >/dev/null 2>&1 || status=$?
same "nor in dpkg's books" 1 "$status"

umount -l "$layer"
finish
