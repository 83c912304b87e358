#!/bin/bash
# `make demo`: it shows what it says, fails when something is wrong, leaves nothing behind.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

demo=$ROOT/demo/run
said=$TMP/out
export TMPDIR=$TMP/tmp
mkdir "$TMPDIR"
unset NO_COLOR

# run_demo WANTED-STATUS COMMAND...: its output goes to $said.
run_demo() {
    local want=$1 status=0
    shift
    timeout 60 "$@" >"$said" 2>&1 </dev/null || status=$?
    [ "$status" -eq "$want" ] || {
        echo "status $status, not $want"
        tail -n 20 "$said"
        return 1
    }
}

says() {
    grep -qF -- "$1" "$said" || {
        echo "not said: $1"
        return 1
    }
}

# Passes when nothing is in the folder for temporary files and nobody works in one.
nothing_left() {
    local left
    left=$(ls -A "$TMPDIR")
    left+=$(find /proc/[0-9]*/cwd -maxdepth 0 -lname "$TMPDIR/*" 2>/dev/null || true)
    [ -z "$left" ] || {
        echo "left behind: $left"
        return 1
    }
}

has_escapes() {
    grep -q $'\033' "$said"
}

check "the demo ends with status 0" run_demo 0 "$demo"
for text in "mtls-run -p policy.ini python3 -m http.server" "mtls-run -p policy.ini curl" \
    "22  handshake" "23  application_data" "nothing else was sent" \
    'no "GET /", no "HTTP/1", no letter' "spiffe://demo/client" "spiffe://demo/server" \
    "handshake_ok" "no_certificate" "not_tls" "What next" "README.md"; do
    check "it says: $text" says "$text"
done
same "it stays within 80 columns" "" "$(awk 'length > 80' "$said")"
check "no colours in a file" eval '! has_escapes'
check "nothing is left behind" nothing_left

check "on a terminal it runs as well" run_demo 0 script -qec "$demo" /dev/null
check "colours on a terminal" has_escapes
check "with NO_COLOR" run_demo 0 env NO_COLOR=1 script -qec "$demo" /dev/null
check "no colours with NO_COLOR" eval '! has_escapes'

# Without the shim everything works, and the demo must not be content with that.
mkdir -p "$TMP/plain/bin"
ln -s "$BUILD/bin/mtlsctl" "$TMP/plain/bin/mtlsctl"
cat >"$TMP/plain/bin/mtls-run" <<'END'
#!/bin/sh
shift 2
exec "$@"
END
chmod +x "$TMP/plain/bin/mtls-run"
check "without the shim it fails" run_demo 1 env BUILD="$TMP/plain" "$demo"
check "and says why" says "passed in clear"
check "nothing is left behind by a failure" nothing_left

# Interrupted while the server is up: this curl never comes to an end.
mkdir "$TMP/slow"
printf '#!/bin/sh\nexec sleep 60\n' >"$TMP/slow/curl"
chmod +x "$TMP/slow/curl"
for signal in INT TERM; do
    PATH=$TMP/slow:$PATH "$demo" >"$said" 2>&1 </dev/null &
    pid=$!
    tap_pid "$pid"
    check "it gets going ($signal)" wait_for 30 says "letter.txt"
    kill -"$signal" "$pid"
    status=0
    wait "$pid" || status=$?
    same "it ends at SIG$signal" "$((128 + $(kill -l "$signal")))" "$status"
    check "nothing is left behind at SIG$signal" nothing_left
done

finish
