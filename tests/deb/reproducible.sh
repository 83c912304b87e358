#!/bin/bash
# What the package is built of does not tell where it was built: mtls-run, with the
# package's flags and the wolfSSL at hand, in two folders, with another umask and locale.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

export DEB_BUILD_MAINT_OPTIONS=hardening=+all
unset MAKEFLAGS MFLAGS MAKEOVERRIDES CFLAGS CPPFLAGS LDFLAGS

# build TREE: builds there what the comparison is about.
build() {
    mkdir -p "$1/build/wolfssl"
    tar -c -C "$ROOT" --exclude=__pycache__ Makefile config shim tools | tar -x -C "$1"
    cp -a "$BUILD/wolfssl/install" "$1/build/wolfssl/"
    touch "$1/build/setup.stamp" "$1/build/wolfssl/install/lib/libwolfssl.a"
    (
        cd "$1"
        eval "$(dpkg-buildflags --export=sh)"
        BUILD=build make -j2 build/bin/mtls-run >build.log 2>&1 || tail -n 5 build.log
    )
}

check "wolfSSL is there" test -f "$BUILD/wolfssl/install/lib/libwolfssl.a"
build "$TMP/one"
(umask 077 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 build "$TMP/another/place")
check "both were built alike" cmp "$TMP/one/build/bin/mtls-run" \
    "$TMP/another/place/build/bin/mtls-run"
same "no folder is in it" "" "$(strings "$TMP/one/build/bin/mtls-run" | grep -F "$TMP" || true)"

finish
