#!/bin/bash
# make install: what it puts where works there, an upgrade never leaves a moment without
# the library, and make uninstall takes away exactly what was put.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

cd "$ROOT"
unset LD_PRELOAD MTLS_SHIM MTLS_SHIM_POLICY MTLS_SHIM_SERVICE
root=$TMP/root
# What is built is tested, whatever it was built with: make would build anew.
installing() { # install|uninstall PREFIX
    DESTDIR=$root PREFIX=$2 tools/packaging/install.sh "$1" "$BUILD"
}
things() {
    find "$root" ! -type d -printf '%P %l %m\n' | sort
}

# ---- all of it, and nothing else ----------------------------------------------------------

mkdir -p "$root/usr/bin" "$root/usr/share/man/man1" "$root/usr/lib/tmpfiles.d"
touch "$root/usr/bin/other" "$root/usr/share/man/man1/other.1" "$root/usr/lib/tmpfiles.d/other.conf"
things >"$TMP/before"
check "install" installing install /usr
things >"$TMP/installed"
listed=$(grep -vc '^#' tools/packaging/files)
check "the list is long enough" test "$listed" -ge 20
same "as many files as are listed, and nothing half done" "$((listed + 3))" "$(wc -l <"$TMP/installed")"
same "modes" "" "$(grep -vE '^usr/(bin/mtls(-run|ctl)|libexec/mtls-shim/entrypoint)  755$' "$TMP/installed" |
    grep -vE ' (644|777)$' || true)"
same "every link leads somewhere" "" "$(find "$root" -xtype l)"

installing install /usr
same "a second install changes nothing" "" "$(things | diff - "$TMP/installed" || true)"

# ---- it works in its place ------------------------------------------------------------------

version=$(sed -n 's/^VERSION := //p' Makefile)
same "mtls-run --version" "mtls-run $version" "$("$root/usr/bin/mtls-run" --version | head -n 1)"
check "... and the library's, with wolfSSL's" grep -qE \
    "^$root/usr/lib/mtls-shim/libmtls_shim.so $version, wolfSSL [0-9.]+$" \
    <("$root/usr/bin/mtls-run" --version)
same "... without a word of warning" "" "$("$root/usr/bin/mtls-run" --version 2>&1 >/dev/null)"
same "mtlsctl --version" "mtlsctl $version" "$("$root/usr/bin/mtlsctl" --version)"
for command in $("$BUILD/bin/mtlsctl" --help | sed -nE 's/^  ([a-z]+) .*/\1/p'); do
    same "mtlsctl $command --version" "mtlsctl $version" \
        "$("$root/usr/bin/mtlsctl" "$command" --version)"
done
check "the note is in the file for others, too" grep -qF "$version, wolfSSL" \
    <(readelf -p .note.mtls-shim "$root/usr/lib/mtls-shim/libmtls_shim.so")

printf '%s\n' '[shim]' 'log = none' 'default_inbound = deny' 'default_outbound = deny' >"$TMP/p.ini"
same "it is preloaded from there" "$root/usr/lib/mtls-shim/libmtls_shim.so" \
    "$("$root/usr/bin/mtls-run" -p "$TMP/p.ini" printenv LD_PRELOAD)"
same "the entrypoint finds mtls-run" "$root/usr/lib/mtls-shim/libmtls_shim.so" \
    "$(MTLS_SHIM_POLICY=$TMP/p.ini "$root/usr/libexec/mtls-shim/entrypoint" printenv LD_PRELOAD)"
same "... or starts the command untouched" "" \
    "$(MTLS_SHIM=off "$root/usr/libexec/mtls-shim/entrypoint" sh -c "echo \$LD_PRELOAD")"
# What is in demo/container and not for this list would be forgotten.
same "all of the container's examples" "$(cd demo/container && find . -type f | sort)" \
    "$(cd "$root/usr/share/doc/mtls-shim/examples/container" && find . -type f | sort)"
mkdir "$TMP/copy"
cp -a "$root/usr/." "$TMP/copy/"
mv "$TMP/copy/lib/mtls-shim/libmtls_shim.so" "$TMP/copy/lib/mtls-shim/libmtls_shim.so.9"
ln -s libmtls_shim.so.9 "$TMP/copy/lib/mtls-shim/libmtls_shim.so"
same "a library that is a link is preloaded by the link" \
    "$TMP/copy/lib/mtls-shim/libmtls_shim.so" \
    "$("$TMP/copy/bin/mtls-run" -p "$TMP/p.ini" printenv LD_PRELOAD)"

# ---- a library of another version -------------------------------------------------------------

other=$TMP/other
mkdir -p "$other/bin" "$other/lib"
cp "$BUILD/bin/mtls-run" "$other/bin/"
cp "$BUILD/lib/libmtls_shim.so" "$other/lib/"
new=${version//[0-9]/9}
perl -0pi -e "s/\\Q$version\\E, wolfSSL/$new, wolfSSL/" "$other/lib/libmtls_shim.so"
check "another version is shown" grep -qF "libmtls_shim.so $new, wolfSSL" \
    <("$other/bin/mtls-run" --version 2>/dev/null)
"$other/bin/mtls-run" --version 2>"$TMP/err" >/dev/null
check "... and warned of" grep -qF "is of version $new, wolfSSL" "$TMP/err"
same "a program under it is started" started \
    "$("$other/bin/mtls-run" -p "$TMP/p.ini" echo started 2>"$TMP/err")"
check "... with the warning" grep -q "^mtls-run: warning: " "$TMP/err"
objcopy --remove-section .note.mtls-shim "$other/lib/libmtls_shim.so"
check "a library that does not say" grep -q " is of version unknown, mtls-run of $version" \
    <("$other/bin/mtls-run" --version 2>&1 >/dev/null)
gcc -shared -fPIC -o "$other/lib/libmtls_shim.so" -x c /dev/null
check "something that is no library of ours" grep -q " is of version unknown" \
    <("$other/bin/mtls-run" --version 2>&1 >/dev/null)
rm "$other/lib/libmtls_shim.so"
status=0
"$other/bin/mtls-run" --version >/dev/null 2>"$TMP/err" || status=$?
same "no library" 125 "$status"

# ---- an upgrade while programs are started ---------------------------------------------------

# Each start is a program that says whether it has the library; the loader would say so on
# stderr, too, and go on.
cat >"$TMP/starter.sh" <<'SH'
export LD_PRELOAD=$1 MTLS_SHIM_POLICY=$2
: >"$3"
while [ ! -e "$4" ]; do
    grep -q libmtls_shim /proc/self/maps 2>>"$3" || echo "started without the library" >>"$3"
    echo >>"$3.count"
done
SH
: >"$TMP/said.count"
sh "$TMP/starter.sh" "$root/usr/lib/mtls-shim/libmtls_shim.so" "$TMP/p.ini" "$TMP/said" \
    "$TMP/stop" 2>>"$TMP/said.shell" &
starter=$!
tap_pid "$starter"
more_than() { [ "$(wc -l <"$TMP/said.count")" -ge "$1" ]; }
check "programs are started" wait_for 30 more_than 5
for _ in 1 2 3 4 5 6 7 8 9 10; do
    installing install /usr
    wait_for 30 more_than "$(($(wc -l <"$TMP/said.count") + 2))"
done
touch "$TMP/stop"
wait "$starter" || true
same "none without the library" "" "$(cat "$TMP/said" "$TMP/said.shell")"

# ---- away again ---------------------------------------------------------------------------

check "uninstall" installing uninstall /usr
same "what was there before is there, and nothing else" "" \
    "$(things | diff - "$TMP/before" || true)"
same "no folder of ours" "" "$(find "$root" -type d -path '*mtls-shim*')"
check "uninstall again" installing uninstall /usr

finish
