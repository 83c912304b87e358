#!/bin/bash
# `make demo-ops`: a week with real programs goes by, README.md shows it as it is, a step
# that goes wrong ends it, and nothing is left behind.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/lib/demo.sh
. "$(dirname "$0")/../lib/demo.sh"

demo=$ROOT/demo/ops

# Serials, ports, processes, times and counts differ from one run to the next.
shape() {
    sed -E 's/[0-9a-f]{32}|[0-9a-f]{8}\.\.\./SERIAL/g; s/[0-9.]+%/N%/g; s/[0-9]+/N/g'
}

# What README.md shows of the demo; a line with three dots stands for what it leaves out.
shown() {
    awk '/<!-- demo-ops/ { found = 1 }
        inside && $0 == "```" { exit }
        inside { print }
        found && $0 == "```console" { inside = 1 }' "$ROOT/README.md"
}

# Passes when each stretch of what is shown stands in what was said, one after the other.
is_as_shown() {
    awk 'NR == FNR { said[NR] = $0; end = NR; next }
        $0 == "..." { gap = 1; next }
        {
            at++
            while (gap && at <= end && said[at] != $0) at++
            if (at > end || said[at] != $0) { print "not so: " $0; bad = 1; exit }
            gap = 0
        }
        END { exit bad || FNR < 20 }' <(shape <"$said") <(shown | shape)
}

start=$SECONDS
check "the week ends with status 0" run_demo 200 0 "$demo"
took=$((SECONDS - start))
check "within two minutes ($took s)" test "$took" -le 120
for text in "MtlsPlaintextConnections (info): firing" '"reason":"not_tls"' \
    '"reason":"denied_by_allow"' '"reason":"unknown_ca"' "MtlsHandshakesFail (warning): firing" \
    "shows the new serial" "the connection from before goes on" "log and counters agree"; do
    check "it says: $text" says "$text"
done
same "it stays within 80 columns" "" "$(awk 'length > 80' "$said")"
check "no colours in a file" eval '! has_escapes'
check "nothing is left behind" nothing_left
check "README.md shows it as it is" is_as_shown

plain=$(build_without_shim)
check "without the shim it fails" run_demo 60 1 env BUILD="$plain" "$demo"
check "and says why" says "--json ended with 1, not 0"
check "... on a terminal as well" run_demo 60 1 env BUILD="$plain" script -qec "$demo" /dev/null
check "colours on a terminal" has_escapes
check "nothing is left behind by a failure" nothing_left
for signal in INT TERM; do
    interrupt "$signal" "Prometheus reads" "$demo"
done

finish
