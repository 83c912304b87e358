#!/bin/sh
# Fetches a newer OpenSSL than Debian 12's, as a peer in tests, with the C library that it
# needs; nothing of it is installed.
#
#   fetch-openssl.sh DIR     leaves the command in DIR/openssl (replaced whole, never half)
set -eu

dest=$(realpath -m "${1:?usage: fetch-openssl.sh DIR}")
work=$dest.fetch

# shellcheck source=tools/archive.sh
. "$(dirname "$0")/archive.sh"

rm -rf "$work"
mkdir -p "$work/packages" "$work/tree"
if ! use_suite deb trixie || ! (cd "$work/packages" &&
    apt_ apt-get download -qq openssl libssl3t64 libc6 zlib1g libzstd1); then
    echo "fetch-openssl: OpenSSL 3.5 could not be fetched: tests that need it are left out" >&2
    rm -rf "$work"
    exit 0
fi
for package in "$work/packages/"*.deb; do
    dpkg -x "$package" "$work/tree"
done
cat >"$work/tree/openssl" <<'SCRIPT'
#!/bin/sh
tree=$(dirname "$0")
set -- "$tree"/usr/bin/openssl "$@"
for libraries in "$tree"/usr/lib/*-linux-gnu*; do
    set -- --library-path "$libraries" "$@"
    for loader in "$libraries"/ld-linux*.so.* "$tree"/usr/lib64/ld-linux*.so.*; do
        [ ! -e "$loader" ] || exec "$loader" "$@"
    done
done
SCRIPT
chmod +x "$work/tree/openssl"
rm -rf "$dest"
mv "$work/tree" "$dest"
rm -rf "$work"
