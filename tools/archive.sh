# shellcheck shell=sh
# Another suite of Debian's archive, beside the one that this machine has: to be sourced.
#
# The apt source list is derived from the machine's own, so that whatever mirror this
# machine uses is used here too; only the suite and the type differ. The state of apt is a
# private one, in $work/apt.
#
#   work=DIR                 set by who sources it
#   use_suite TYPE SUITE     deb or deb-src; fails if no mirror is known
#   apt_ TOOL ARG...         apt-get or apt-cache on that state

# The archive's address, as the first entry for Debian's main archive has it.
mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
        /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '
        /^deb / { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]+:\/\//) { print $i; next } }
        /^URIs:/ { print $2 }' | grep -v security | grep '/debian/*$' | head -n 1
}

# shellcheck disable=SC2154 # work
use_suite() {
    command -v apt-get >/dev/null || return 1
    uri=$(mirror)
    [ -n "$uri" ] || return 1
    rm -rf "$work/apt"
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
    printf '%s [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
        "$1" "$uri" "$2" >"$work/apt/sources.list"
    # apt may complain of parts that are not wanted.
    apt_ apt-get update -qq || true
}

# shellcheck disable=SC2154
apt_() {
    tool=$1
    shift
    # Nothing counts as installed: it is for elsewhere.
    "$tool" -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" \
        -o Dir::State::status=/dev/null -o APT::Sandbox::User=root -o Acquire::Retries=3 "$@"
}
