# shellcheck shell=bash
# What the tests of the demos share; sourced after tap.sh:
#
#   . "$(dirname "$0")/../lib/demo.sh"
#
# Sets said (the file with the last demo's output) and TMPDIR, where a demo makes its folder.

said=$TMP/out
export TMPDIR=$TMP/tmp
mkdir "$TMPDIR"
unset NO_COLOR

# run_demo SECONDS WANTED-STATUS COMMAND...: its output goes to $said.
run_demo() {
    local seconds=$1 want=$2 status=0
    shift 2
    timeout "$seconds" "$@" >"$said" 2>&1 </dev/null || status=$?
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

# A build whose mtls-run starts programs without the shim; prints its folder.
build_without_shim() {
    mkdir -p "$TMP/plain/bin"
    ln -sf "$BUILD/bin/mtlsctl" "$TMP/plain/bin/mtlsctl"
    cat >"$TMP/plain/bin/mtls-run" <<'RUN'
#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift 2; done
exec "$@"
RUN
    chmod +x "$TMP/plain/bin/mtls-run"
    echo "$TMP/plain"
}

# interrupt SIGNAL WORDS COMMAND...: ends a demo by a signal once it has said the words.
interrupt() {
    local signal=$1 words=$2 status=0 pid
    shift 2
    "$@" >"$said" 2>&1 </dev/null &
    pid=$!
    tap_pid "$pid"
    check "it gets going ($signal)" wait_for 30 says "$words"
    kill -"$signal" "$pid"
    wait "$pid" || status=$?
    same "it ends at SIG$signal" "$((128 + $(kill -l "$signal")))" "$status"
    check "nothing is left behind at SIG$signal" nothing_left
}
