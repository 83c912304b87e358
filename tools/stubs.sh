#!/bin/sh
# stubs.sh LIST FOLDER: makes shared libraries to be linked with in place of the machine's
# own. They have nothing but the symbols of LIST (shim/libc/older), in those versions.
set -eu

list=$1
folder=$2
case $(${CC:-cc} -dumpmachine) in
aarch64*) only=2.17 ;;
*) only= ;;
esac

mkdir -p "$folder"
grep -v '^#' "$list" | awk '{ print $1 }' | sort -u | while read -r library; do
    base=$folder/$library
    awk -v library="$library" -v only="$only" -v code="$base.c" -v map="$base.map" '
        $1 == library {
            print "void " $2 "(void) {}" >code
            version = only == "" ? $3 : only
            names[version] = names[version] " " $2 ";"
        }
        END {
            for (version in names)
                print "GLIBC_" version " { global:" names[version] " };" >map
            print "HIDDEN { local: *; };" >map
        }' "$list"
    ${CC:-cc} -w -fno-builtin -shared -nostdlib -fPIC -Wl,-soname,"$library" \
        -Wl,--version-script="$base.map" -o "$base" "$base.c"
done
