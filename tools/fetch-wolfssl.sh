#!/bin/sh
# Fetches wolfSSL's source from Debian's source packages, checks it and unpacks it.
#
#   fetch-wolfssl.sh DIR     leaves the tree in DIR (replaced whole, never half)
#
# The apt source list is derived from the machine's own, so that whatever mirror
# this machine uses is used here too; only the suite and the type differ.
set -eu

dest=$(realpath -m "${1:?usage: fetch-wolfssl.sh DIR}")
work=$dest.fetch

die() {
    cat >&2 <<MSG
fetch-wolfssl: $1
fetch-wolfssl: get wolfSSL 5.9.2 or newer some other way, unpack it and run:
fetch-wolfssl: make WOLFSSL_SRC=/path/to/wolfssl
MSG
    exit 1
}

# The archive's address, as the first entry for Debian's main archive has it.
mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
        /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '
        /^deb / { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]+:\/\//) { print $i; next } }
        /^URIs:/ { print $2 }' | grep -v security | grep '/debian/*$' | head -n 1
}

# use_suite SUITE: points the private apt state at SUITE's source packages.
use_suite() {
    rm -rf "$work/apt"
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    printf 'deb-src [signed-by=%s] %s %s main\n' "$keyring" "$uri" "$1" >"$work/apt/sources.list"
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

# take VERSION SHA256: downloads and checks the orig tarball; fails quietly.
take() {
    for ext in xz gz; do rm -f "$work/src/"*.orig.tar.$ext; done
    # apt may complain of parts other than the orig tarball: the checksum decides.
    (cd "$work/src" && apt_ apt-get source --download-only "wolfssl=$1" >apt.log 2>&1) || true
    for tarball in "$work/src/wolfssl_"*.orig.tar.*; do
        case $tarball in *.asc) continue ;; esac
        [ -f "$tarball" ] || continue
        if printf '%s  %s\n' "$2" "$tarball" | sha256sum -c --status; then
            mkdir -p "$work/tree"
            tar -xf "$tarball" -C "$work/tree" --strip-components=1
            return 0
        fi
        echo "fetch-wolfssl: $tarball: SHA-256 differs from the one known; not used" >&2
    done
    return 1
}

# version SUITE-PATTERN: the newest source version on offer that begins so.
version() {
    apt_ apt-cache showsrc wolfssl 2>/dev/null | awk -v p="$1" \
        '$1 == "Version:" && index($2, p) == 1 { print $2 }' | sort -V | tail -n 1
}

uri=$(mirror)
[ -n "$uri" ] || die "no Debian archive found in this machine's apt sources"
command -v apt-get >/dev/null || die "this machine has no apt-get"

rm -rf "$work"
mkdir -p "$work/src"

use_suite sid
v=$(version 5.9.2)
[ -n "$v" ] || die "Debian's sid has another version of wolfSSL by now"
take "$v" 2f4ef3d4fd387a9b3191d36a6316d69116c46ff69bb9583b6c82b36d7b8ca114 ||
    die "the wolfSSL source package could not be fetched (see $work/src/apt.log)"

rm -rf "$dest"
mv "$work/tree" "$dest"
rm -rf "$work"
