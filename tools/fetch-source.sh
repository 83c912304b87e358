#!/bin/sh
# Fetches the upstream source of one of Debian's source packages, checks and unpacks it.
#
#   fetch-source.sh PACKAGE SUITE VERSION SHA256 DIR
#
# VERSION is how the package's version begins, SHA256 that of its orig tarball. The tree
# is left in DIR (replaced whole, never half).
#
# The apt source list is derived from the machine's own, so that whatever mirror
# this machine uses is used here too; only the suite and the type differ.
set -eu

[ $# -eq 5 ] || {
    echo "usage: fetch-source.sh PACKAGE SUITE VERSION SHA256 DIR" >&2
    exit 2
}
package=$1 suite=$2 wanted=$3 checksum=$4
dest=$(realpath -m "$5")
work=$dest.fetch

die() {
    echo "fetch-source: $package: $1" >&2
    exit 1
}

# The archive's address, as the first entry for Debian's main archive has it.
mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
        /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '
        /^deb / { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]+:\/\//) { print $i; next } }
        /^URIs:/ { print $2 }' | grep -v security | grep '/debian/*$' | head -n 1
}

# use_suite: points the private apt state at the suite's source packages.
use_suite() {
    rm -rf "$work/apt"
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    printf 'deb-src [signed-by=%s] %s %s main\n' "$keyring" "$uri" "$suite" >"$work/apt/sources.list"
    apt_ apt-get update -qq || true
}

# apt_ TOOL ARG...: apt-get or apt-cache on the private state.
apt_() {
    tool=$1
    shift
    "$tool" -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" \
        -o APT::Sandbox::User=root -o Acquire::Retries=3 "$@"
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

uri=$(mirror)
[ -n "$uri" ] || die "no Debian archive found in this machine's apt sources"
command -v apt-get >/dev/null || die "this machine has no apt-get"

rm -rf "$work"
mkdir -p "$work/src"
use_suite
v=$(version)
[ -n "$v" ] || die "Debian's $suite has another version than $wanted by now"
take "$v" || die "the source package could not be fetched (see $work/src/apt.log)"

rm -rf "$dest"
mv "$work/tree" "$dest"
rm -rf "$work"
