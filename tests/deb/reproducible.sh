#!/bin/bash
# What the package is built of does not tell where it was built: the library and the tools,
# with the package's flags and the wolfSSL at hand, in two folders, with another umask and
# locale.
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
        BUILD=build make -j2 all >build.log 2>&1 || tail -n 5 build.log
    )
}

check "wolfSSL is there" test -f "$BUILD/wolfssl/install/lib/libwolfssl.a"
build "$TMP/one"
(umask 077 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 build "$TMP/another/place")
for product in bin/mtls-run bin/mtlsctl lib/libmtls_shim.so; do
    check "$product was built alike" cmp "$TMP/one/build/$product" \
        "$TMP/another/place/build/$product"
    same "no folder is in $product" "" \
        "$(strings -a "$TMP/one/build/$product" | grep -F "$TMP" || true)"
done

finish
