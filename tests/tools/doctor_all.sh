#!/bin/bash
# mtlsctl doctor on every program that is installed: it never crashes, its verdict is
# mtls-run's, and what the other tests run under the library is not called impossible.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

run=$BUILD/bin/mtls-run
ctl=$BUILD/bin/mtlsctl
cd "$TMP"
unset LD_PRELOAD MTLS_SHIM MTLS_SHIM_POLICY MTLS_SHIM_SERVICE MTLS_SHIM_LOG MTLS_SHIM_LOG_LEVEL

# mtls-run is asked with a policy that cannot be, so that nothing is ever started: what it
# would start ends with 78.
printf '[shim]\nno_such_key = 1\n' >never.ini
: >wrong
: >refused
count=0
# Each file once, by whatever names.
for program in /usr/bin/* /usr/sbin/*; do
    if [ -f "$program" ]; then printf "%s\0" "$program"; fi
done | xargs -0 realpath | sort -u >programs
while read -r program; do
    count=$((count + 1))
    doctor=0
    timeout 20 "$ctl" doctor "$program" >said 2>&1 </dev/null || doctor=$?
    theirs=0
    timeout 20 "$run" -p never.ini "$program" >/dev/null 2>&1 </dev/null || theirs=$?
    case $doctor-$theirs in
        0-78) ;;
        1-126 | 1-127) echo "$program" >>refused ;;
        *) echo "$program: doctor $doctor, mtls-run $theirs" >>wrong ;;
    esac
done <programs
check "there are programs" test "$count" -ge 100
same "all $count programs: no crash, and mtls-run agrees" "" "$(cat wrong)"

# What the other tests run under the library: by name, in their sources.
known=$(grep -ohE '"(/usr/sbin/)?[a-z][a-z0-9._-]+"' "$ROOT"/tests/compat/*.py "$ROOT"/tests/pairs/*.py |
    tr -d '"' | sort -u)
misjudged=
seen=0
for name in curl wget nginx redis-server redis-cli memcached iperf3 socat perl node java openssl \
    gnutls-cli $known; do
    program=$(command -v "$name") || continue
    case $program in /*) ;; *) continue ;; esac
    case ${name##*/} in
        # Made by Go, and run without the library there.
        go | prometheus | promtool) continue ;;
    esac
    seen=$((seen + 1))
    if grep -qxF "$(realpath "$program")" refused || grep -qxF "$program" refused; then
        misjudged="$misjudged $name"
    fi
done
check "programs that the other tests run are there" test "$seen" -ge 10
same "none of them is said to be impossible" "" "$misjudged"

finish
