#!/bin/sh
# Puts what the list `files` names in its place, or takes it away again.
#
#   install.sh install|uninstall BUILD        PREFIX and DESTDIR from the environment
#
# Each file gets its place by a rename: a program that is started meanwhile finds the old
# one or the new one, and never none, without which it would run in plaintext.
set -eu

action=$1 build=$(realpath -m "$2")
here=$(dirname "$0")
tree=$here/../..
to=${DESTDIR:-}${PREFIX:?}
install=${INSTALL:-install}

list() {
    sed -e '/^#/d' -e "s|@BUILD@|$build|g" "$here/files"
}

put() { # MODE SOURCE PLACE
    part=$(dirname "$3")/.$(basename "$3").part
    mkdir -p "$(dirname "$3")"
    case $1 in
    link) ln -sfn "$2" "$part" ;;
    *) case $2 in /*) ;; *) set -- "$1" "$tree/$2" "$3" ;; esac
        $install -m "$1" "$2" "$part"
        ;;
    esac
    mv -fT "$part" "$3"
}

# Folders that are ours alone, deepest first.
own_folders() {
    list | while read -r _ _ place; do
        folder=$(dirname "$place")
        while [ "$folder" != . ]; do
            echo "$folder"
            folder=$(dirname "$folder")
        done
    done | grep -E '(^|/)mtls-shim(/|$)' | sort -ru
}

case $action in
install)
    list | while read -r mode source place; do
        put "$mode" "$source" "$to/$place"
    done
    ;;
uninstall)
    list | while read -r _ _ place; do
        rm -f "$to/$place"
    done
    own_folders | while read -r folder; do
        rmdir "$to/$folder" 2>/dev/null || true
    done
    ;;
*)
    echo "usage: install.sh install|uninstall BUILD" >&2
    exit 2
    ;;
esac
