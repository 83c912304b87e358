#!/bin/sh
# Builds inih as a static archive, for a C library that Debian has no inih for. Debian's
# own package is made with the same settings, which are inih's defaults.
#
#   build-inih.sh DIR     DIR/src is the source (fetched when absent),
#                         DIR/install gets lib/libinih.a and include/ini.h
#
# INIH_SRC=/path takes the source from there instead of fetching it. CC is the compiler.
set -eu

dir=$(realpath -m "${1:?usage: build-inih.sh DIR}")
here=$(dirname "$(realpath "$0")")
src=${INIH_SRC:-$dir/src}
mkdir -p "$dir"

if [ ! -f "$src/ini.c" ]; then
    [ -z "${INIH_SRC:-}" ] || {
        echo "build-inih: INIH_SRC=$INIH_SRC is not an inih source tree" >&2
        exit 1
    }
    echo "  FETCH inih (once; kept under $dir)"
    "$here/fetch-source.sh" libinih trixie 59 \
        062279922805f5e9a369551a08d5ddb506140fe50774183ffdbb7c22bb97e3f4 "$src" || {
        echo "build-inih: get inih some other way, unpack it and run:" >&2
        echo "build-inih: make container INIH_SRC=/path/to/inih" >&2
        exit 1
    }
fi

echo "  BUILD inih"
rm -rf "$dir/install"
mkdir -p "$dir/install/lib" "$dir/install/include"
"${CC:-cc}" -O2 -g -fPIC -fvisibility=hidden -c -o "$dir/ini.o" "$src/ini.c"
ar rcs "$dir/install/lib/libinih.a" "$dir/ini.o"
cp "$src/ini.h" "$dir/install/include/"
rm "$dir/ini.o"
