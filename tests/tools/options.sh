#!/bin/bash
# Options in the programs, in their pages and in the completion are the same sets.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

completion=$ROOT/tools/completion/mtls-shim.bash

# words PATTERN: what matches on stdin, sorted, on one line.
words() {
    # Not xargs by itself: its echo would take --help for its own.
    { grep -oE -- "$1" || true; } | sort -u | xargs printf '%s\n' | paste -sd ' ' -
}

# The long options of a page's macros: ".Fl -name" and ".Op Fl -name" mean --name.
page_options() { # FILE
    sed -n 's/^\.\(It\|Op\|Ar\) .*/&/p' "$1" | { grep -oE 'Fl -[a-z-]+' || true; } |
        sed 's/Fl -/--/' | sort -u | xargs
}

# What bash would offer for a command line whose last word is begun.
offered() { # FUNCTION WORD...
    (
        # shellcheck source=tools/completion/mtls-shim.bash
        . "$completion"
        function=$1
        shift
        COMP_WORDS=("$@")
        # shellcheck disable=SC2034 # read by the function
        COMP_CWORD=$(($# - 1))
        COMPREPLY=()
        "$function"
        printf '%s\n' "${COMPREPLY[@]}"
    )
}

help=$("$BUILD/bin/mtls-run" --help | words '--[a-z][a-z-]*')
same "mtls-run: page" "$help" "$(page_options "$ROOT/tools/run/mtls-run.1")"
same "mtls-run: completion" "$help" "$(offered _mtls_run mtls-run -- | words '--[a-z][a-z-]*')"
short=$("$BUILD/bin/mtls-run" --help | words '^  -[a-zA-Z]' | tr -d ' ')
same "mtls-run: short options in the page" "$short" \
    "$(grep '^\.It Fl' "$ROOT/tools/run/mtls-run.1" | words 'Fl [a-zA-Z]' | sed 's/Fl /-/g' |
        tr -d ' ')"

commands=$("$BUILD/bin/mtlsctl" --help | words '^  [a-z]+')
same "mtlsctl: commands offered" "$commands" \
    "$(offered _mtlsctl mtlsctl "" | { grep -v '^-' || true; } | sort | xargs)"
for command in check explain doctor probe verify report suggest metrics top; do
    help=$("$BUILD/bin/mtlsctl" "$command" --help | words '^  --[a-z-]+')
    same "mtlsctl $command: completion" "$help" \
        "$(offered _mtlsctl mtlsctl "$command" -- | words '--[a-z][a-z-]*')"
    same "mtlsctl $command: --version" "$("$BUILD/bin/mtlsctl" --version)" \
        "$("$BUILD/bin/mtlsctl" "$command" --version)"
    same "mtlsctl $command: -h" "$("$BUILD/bin/mtlsctl" "$command" --help)" \
        "$("$BUILD/bin/mtlsctl" "$command" -h)"
    check "mtlsctl $command: in the page" grep -q "^\.It Cm $command" "$ROOT/tools/ctl/mtlsctl.1"
    for option in $help; do
        check "mtlsctl $command: $option is in the page" grep -qE \
            "^\.It .*Fl -${option#--}( |$)" "$ROOT/tools/ctl/mtlsctl.1"
    done
done

ca=$("$BUILD/bin/mtlsctl" ca --help | words '^  [a-z0-9]+')
same "mtlsctl ca: commands offered" "$ca" \
    "$(offered _mtlsctl mtlsctl ca "" | { grep -v '^-' || true; } | sort | xargs)"
all=
for command in $ca; do
    help=$("$BUILD/bin/mtlsctl" ca "$command" --help | words '^  --[a-z-]+')
    same "mtlsctl ca $command: completion" "$help" \
        "$(offered _mtlsctl mtlsctl ca "$command" -- | words '--[a-z][a-z-]*')"
    check "mtlsctl ca $command: in the page" grep -q "^\.Cm ca $command" "$ROOT/tools/ctl/mtlsctl.1"
    same "mtlsctl ca $command: --version" "$("$BUILD/bin/mtlsctl" --version)" \
        "$("$BUILD/bin/mtlsctl" ca "$command" --version)"
    all="$all $help"
done
# The page tells of other commands too: those of ca must all be in it.
for option in $(printf '%s\n' "$all" | tr ' ' '\n' | sort -u); do
    check "mtlsctl ca: $option is in the page" grep -qE "^\.It .*Fl -${option#--}( |$)" \
        "$ROOT/tools/ctl/mtlsctl.1"
done

finish
