#!/bin/sh
# debian_root.sh DIR SUITE PACKAGES: makes a minimal Debian of its own in DIR, with those
# packages (names with commas) and the places where containers get something mounted.
set -eu

dir=$(realpath -m "$1") suite=$2 packages=$3
# shellcheck disable=SC2016 # for apt-get
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
    grep '/debian/*$' | head -n 1)

rm -rf "$dir" "$dir.part"
mkdir -p "$dir.part"
timeout 900 debootstrap --variant=minbase --include="$packages" "$suite" "$dir.part" "$mirror" \
    >"$dir.log" 2>&1 || {
    tail -n 20 "$dir.log" >&2
    echo "debian_root: debootstrap failed or took too long; its log is $dir.log" >&2
    exit 1
}
rm -rf "$dir.part/var/cache/apt/archives" "$dir.part/var/lib/apt/lists"
mkdir -p "$dir.part/mtls-shim" "$dir.part/etc/mtls-shim"
mv "$dir.part" "$dir"
