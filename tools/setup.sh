#!/bin/sh
# Installs what this project needs from Debian's packages, and only what is missing.
#
#   setup.sh build    to build          setup.sh test     to run the tests as well
#   setup.sh demo     for make demo     setup.sh demo-ops for make demo-ops
#   setup.sh bench    for make bench
#   setup.sh compat   for make check-compat      setup.sh deb      for make deb
#   setup.sh container  for make container and check-container
#   setup.sh cpython  for make check-cpython     setup.sh suites   for make check-suites
set -eu

# One at a time: `make -j` may want two at once, and apt-get does not wait for another.
if [ "${SETUP_HAS_TURN:-}" != yes ] && command -v flock >/dev/null; then
    SETUP_HAS_TURN=yes exec flock "$0" "$0" "$@"
fi

what=${1:-build}
build="gcc make libc6-dev libinih-dev libyajl-dev autoconf automake libtool dpkg-dev patch xz-utils ca-certificates"
test="libcmocka-dev openssl gnutls-bin curl wget nginx-light redis-server redis-tools memcached
    netcat-openbsd netcat-traditional iperf3 socat wrk perl python3 nodejs default-jdk-headless golang-go strace
    procps iproute2 binutils mandoc shellcheck clang clang-format clang-tidy libclang-rt-dev valgrind
    prometheus rsyslog logrotate systemd apparmor libssl-dev"
compat="postgresql mariadb-server mariadb-client php-fpm php-cli uwsgi-core uwsgi-plugin-python3
    apache2-bin apache2-utils lighttpd haproxy squid vsftpd inetutils-ftp rsync
    exim4-daemon-light swaks dovecot-imapd mosquitto mosquitto-clients slapd ldap-utils ngircd
    rabbitmq-server distcc nbd-server libnbd-bin qemu-utils ruby tcl lua5.4 lua-socket rustc g++
    inetutils-inetd libwrap0 ucspi-tcp util-linux"
# Debian lets these not be installed beside one of the above: unpacked into $BUILD/compat/NAME.
compat_unpacked="xinetd"
deb="debhelper fakeroot lintian"
container="musl-tools debootstrap busybox npm"
demo="curl python3"
demo_ops="redis-server redis-tools prometheus python3"
cpython="openssl python3 python3.11 libpython3.11-testsuite"
suites="openssl python3 python3-twisted python3-tornado libglib2.0-tests"
bench="redis-server redis-tools iperf3 python3 openssl libssl-dev strace valgrind"
# What one is missing of, `make bench` leaves out, and says so.
bench_wanted="nginx-light libnginx-mod-stream memcached wrk stunnel4 haproxy ghostunnel postgresql"

unpacked=
wanted=
case $what in
build) list=$build ;;
test) list="$build $test" ;;
cpython) list="$build $cpython" ;;
suites) list="$build $suites" ;;
deb) list="$build $deb" ;;
container) list="$build $container" ;;
compat) list="$build $test $compat" unpacked=$compat_unpacked ;;
demo) list=$demo ;;
demo-ops) list=$demo_ops ;;
bench) list="$build $bench" wanted=$bench_wanted ;;
*) echo "usage: setup.sh build|test|demo|demo-ops|bench|compat|container|cpython|suites|deb" >&2; exit 2 ;;
esac

# A program that is there already, from wherever, need not come as a package.
have() {
    case $1 in
    gcc | make | autoconf | automake | patch | openssl | curl | wget | memcached | iperf3 | socat | wrk | \
        perl | python3 | strace | shellcheck | clang | clang-format | clang-tidy | valgrind) command -v "$1" >/dev/null && return 0 ;;
    npm) command -v npm >/dev/null && return 0 ;;
    golang-go) command -v go >/dev/null && return 0 ;;
    rustc) command -v rustc >/dev/null && return 0 ;;
    g++) command -v g++ >/dev/null && return 0 ;;
    nodejs) command -v node >/dev/null && return 0 ;;
    default-jdk-headless) command -v javac >/dev/null && return 0 ;;
    nginx-light) command -v /usr/sbin/nginx >/dev/null && return 0 ;;
    libc6-dev) [ -f /usr/include/stdio.h ] && return 0 ;;
    esac
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'
}

# What is not installed, but lies in $BUILD/compat.
put_beside() {
    for package in $unpacked; do
        to=${BUILD:-build}/compat/$package
        [ ! -d "$to" ] || continue
        mkdir -p "$to.part"
        (cd "$to.part" && apt-get download -qq -o APT::Sandbox::User=root "$package" &&
            dpkg -x "$package"_*.deb . && rm "$package"_*.deb)
        mv "$to.part" "$to"
    done
    # A peer that speaks what this Debian's does not yet.
    openssl=${BUILD:-build}/compat/openssl
    case $what in
    test | compat) [ -e "$openssl" ] || "$(dirname "$0")/fetch-openssl.sh" "$openssl" ;;
    esac
}

missing=
for package in $list; do
    have "$package" || missing="$missing $package"
done
absent=
for package in $wanted; do
    have "$package" || absent="$absent $package"
done
if [ -z "$missing$absent" ]; then
    put_beside
    exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    if [ -z "$missing" ]; then
        echo "setup: not installed, and done without:$absent" >&2
        exit 0
    fi
    echo "setup: these packages are missing:$missing" >&2
    echo "setup: install them, or run make as root on a Debian machine" >&2
    exit 1
fi
echo "  APT  $missing$absent"
export DEBIAN_FRONTEND=noninteractive
# A package's own service must not start here: the tests start what they need.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
    trap 'rm -f $policy' EXIT
fi
apt-get update -qq
for package in $absent; do
    if apt-cache show "$package" >/dev/null 2>&1; then
        missing="$missing $package"
    else
        echo "setup: $package is not to be had here, and done without" >&2
    fi
done
# shellcheck disable=SC2086 # a list of packages
[ -z "$missing" ] || apt-get install -y -qq --no-install-recommends $missing >/dev/null
put_beside
