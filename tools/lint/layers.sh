#!/bin/sh
# Checks that includes are written from the tree's root and that layers point down only:
# interpose -> session -> record; config, record and target know nothing of the rest.
set -eu

cd "$(dirname "$0")/../.."

# What the files of a folder may include, besides their own folder.
allowed() {
    case $1 in
    config | shim/record | shim/target | shim/libc) echo "" ;;
    shim/session) echo "config shim/libc shim/record" ;;
    shim/interpose) echo "config shim/libc shim/record shim/session shim/target shim" ;;
    tools/run) echo "config shim/target" ;;
    tools/ctl) echo "config shim/record shim/session shim/target tools/run" ;;
    *) echo "any" ;;
    esac
}

found=$(mktemp)
trap 'rm -f "$found"' EXIT
git ls-files --cached --others --exclude-standard -- 'config/*.[ch]' 'shim/*.[ch]' \
    'tools/*.[ch]' 'tests/*.[ch]' | while read -r file; do
    [ -f "$file" ] || continue
    from=$(dirname "$file")
    sed -n 's/^#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$file" | while read -r header; do
        to=$(dirname "$header")
        case $header in *.def) [ ! -f "$from/$header" ] || header=$from/$header ;; esac
        if [ ! -f "$header" ]; then
            echo "$file: \"$header\" is not a path from the tree's root"
            continue
        fi
        may=$(allowed "$from")
        case " $from $may " in
        *" any "* | *" $to "*) ;;
        *) echo "$file: includes \"$header\": $from may include from itself${may:+, $may} only" ;;
        esac
    done
    # The file's own header comes first, so that headers are complete by themselves.
    own=${file%.c}.h
    if [ "$own" != "$file" ] && [ -f "$own" ]; then
        first=$(sed -n 's/^#[[:space:]]*include[[:space:]]*["<]\([^">]*\)[">].*/\1/p' "$file" | head -n 1)
        [ "$first" = "$own" ] || echo "$file: includes \"$own\" not first"
    fi
done >"$found"

if [ -s "$found" ]; then
    cat "$found" >&2
    echo "layers: $(wc -l <"$found") problems" >&2
    exit 1
fi
