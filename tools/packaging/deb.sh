#!/bin/sh
# deb.sh BUILD VERSION: builds the Debian package, in BUILD/deb, of a copy of this tree
# and of the wolfSSL source in BUILD/wolfssl; nothing is fetched.
set -eu

build=$(realpath "$1") version=$2
cd "$(dirname "$0")/../.."

packaged=$(dpkg-parsechangelog -l tools/packaging/debian/changelog -S Version)
if [ "$packaged" != "$version" ]; then
    echo "deb: the version is $version, but that of debian/changelog is $packaged" >&2
    exit 1
fi

rm -rf "$build/deb"
stage=$build/deb/mtls-shim-$version
mkdir -p "$stage"
tar -c --exclude=__pycache__ Makefile LICENSE README.md config shim tools demo | tar -x -C "$stage"
cp -a tools/packaging/debian "$stage/debian"

# What make was told is for our own build, not for the package's.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES CFLAGS CPPFLAGS LDFLAGS PREFIX DESTDIR BUILD V
echo "  DEB   $build/deb (log: $build/deb/build.log)"
cd "$stage"
if ! WOLFSSL_SRC=$build/wolfssl/src dpkg-buildpackage -b -us -uc >../build.log 2>&1; then
    tail -n 40 ../build.log >&2
    exit 1
fi
cd ..
lintian --allow-root --display-info --display-experimental --pedantic --show-overrides --tag-display-limit 0 \
    --fail-on error,warning,info,pedantic,experimental ./*.changes
ls -- *.deb
