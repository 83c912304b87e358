#!/bin/sh
# Fetches the upstream source of one of Debian's source packages, checks and unpacks it.
#
#   fetch-source.sh PACKAGE SUITE VERSION SHA256 DIR
#
# VERSION is how the package's version begins, SHA256 that of its orig tarball. The tree
# is left in DIR (replaced whole, never half).
set -eu

[ $# -eq 5 ] || {
    echo "usage: fetch-source.sh PACKAGE SUITE VERSION SHA256 DIR" >&2
    exit 2
}
package=$1 suite=$2 wanted=$3 checksum=$4
dest=$(realpath -m "$5")
work=$dest.fetch

# shellcheck source=tools/archive.sh
. "$(dirname "$0")/archive.sh"

die() {
    echo "fetch-source: $package: $1" >&2
    exit 1
}

# take VERSION: downloads and checks the orig tarball; fails quietly.
take() {
    # apt may complain of parts other than the orig tarball: the checksum decides.
    (cd "$work/src" && apt_ apt-get source --download-only "$package=$1" >apt.log 2>&1) || true
    for tarball in "$work/src/${package}_"*.orig.tar.*; do
        case $tarball in *.asc) continue ;; esac
        [ -f "$tarball" ] || continue
        if printf '%s  %s\n' "$checksum" "$tarball" | sha256sum -c --status; then
            mkdir -p "$work/tree"
            tar -xf "$tarball" -C "$work/tree" --strip-components=1
            return 0
        fi
        echo "fetch-source: $tarball: SHA-256 differs from the one known; not used" >&2
    done
    return 1
}

# The newest version on offer that begins as wanted.
version() {
    apt_ apt-cache showsrc "$package" 2>/dev/null | awk -v p="$wanted" \
        '$1 == "Version:" && index($2, p) == 1 { print $2 }' | sort -V | tail -n 1
}

rm -rf "$work"
mkdir -p "$work/src"
use_suite deb-src "$suite" || die "no apt-get, or no Debian archive in this machine's sources"
v=$(version)
[ -n "$v" ] || die "Debian's $suite has another version than $wanted by now"
take "$v" || die "the source package could not be fetched (see $work/src/apt.log)"

rm -rf "$dest"
mv "$work/tree" "$dest"
rm -rf "$work"
