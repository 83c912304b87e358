#!/bin/bash
# `make demo`: it shows what it says, fails when something is wrong, leaves nothing behind.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

# shellcheck source=tests/lib/demo.sh
. "$(dirname "$0")/../lib/demo.sh"

demo=$ROOT/demo/run

check "the demo ends with status 0" run_demo 60 0 "$demo"
for text in "mtls-run -p policy.ini python3 -m http.server" "mtls-run -p policy.ini curl" \
    "22  handshake" "23  application_data" "nothing else was sent" \
    'no "GET /", no "HTTP/1", no letter' "spiffe://demo/client" "spiffe://demo/server" \
    "handshake_ok" "no_certificate" "not_tls" "What next" "README.md"; do
    check "it says: $text" says "$text"
done
same "it stays within 80 columns" "" "$(awk 'length > 80' "$said")"
check "no colours in a file" eval '! has_escapes'
check "nothing is left behind" nothing_left

check "on a terminal it runs as well" run_demo 60 0 script -qec "$demo" /dev/null
check "colours on a terminal" has_escapes
check "with NO_COLOR" run_demo 60 0 env NO_COLOR=1 script -qec "$demo" /dev/null
check "no colours with NO_COLOR" eval '! has_escapes'

# Without the shim everything works, and the demo must not be content with that.
check "without the shim it fails" run_demo 60 1 env BUILD="$(build_without_shim)" "$demo"
check "and says why" says "passed in clear"
check "nothing is left behind by a failure" nothing_left

# Interrupted while the server is up: this curl never comes to an end.
mkdir "$TMP/slow"
printf '#!/bin/sh\nexec sleep 60\n' >"$TMP/slow/curl"
chmod +x "$TMP/slow/curl"
for signal in INT TERM; do
    interrupt "$signal" letter.txt env PATH="$TMP/slow:$PATH" "$demo"
done

finish
