#!/bin/sh
# Installs what this project needs from Debian's packages, and only what is missing.
#
#   setup.sh build    to build          setup.sh test     to run the tests as well
#   setup.sh demo     for make demo     setup.sh bench    for make bench
set -eu

what=${1:-build}
build="gcc make libc6-dev libinih-dev autoconf automake libtool dpkg-dev patch xz-utils ca-certificates"
test="libcmocka-dev openssl gnutls-bin curl wget nginx-light redis-server redis-tools memcached
    netcat-openbsd netcat-traditional iperf3 socat wrk perl python3 nodejs default-jdk-headless strace
    procps iproute2 binutils shellcheck clang clang-format clang-tidy libclang-rt-dev valgrind"
demo="curl python3"
bench="redis-server redis-tools iperf3 python3"

case $what in
build) list=$build ;;
test) list="$build $test" ;;
demo) list=$demo ;;
bench) list=$bench ;;
*) echo "usage: setup.sh build|test|demo|bench" >&2; exit 2 ;;
esac

# A program that is there already, from wherever, need not come as a package.
have() {
    case $1 in
    gcc | make | autoconf | automake | patch | openssl | curl | wget | memcached | iperf3 | socat | wrk | \
        perl | python3 | strace | shellcheck | clang | clang-format | clang-tidy | valgrind) command -v "$1" >/dev/null && return 0 ;;
    nodejs) command -v node >/dev/null && return 0 ;;
    default-jdk-headless) command -v javac >/dev/null && return 0 ;;
    nginx-light) command -v /usr/sbin/nginx >/dev/null && return 0 ;;
    libc6-dev) [ -f /usr/include/stdio.h ] && return 0 ;;
    esac
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'
}

missing=
for package in $list; do
    have "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup: these packages are missing:$missing" >&2
    echo "setup: install them, or run make as root on a Debian machine" >&2
    exit 1
fi
echo "  APT  $missing"
export DEBIAN_FRONTEND=noninteractive
# A package's own service must not start here: the tests start what they need.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
    trap 'rm -f $policy' EXIT
fi
apt-get update -qq
# shellcheck disable=SC2086 # a list of packages
apt-get install -y -qq --no-install-recommends $missing >/dev/null
