#!/bin/sh
# Builds wolfSSL as a static, position-independent archive with hidden symbols.
#
#   build-wolfssl.sh DIR     DIR/src is the source (fetched when absent),
#                            DIR/install gets lib/libwolfssl.a and the headers
#
# WOLFSSL_SRC=/path takes the source from there instead of fetching it.
set -eu

dir=$(realpath -m "${1:?usage: build-wolfssl.sh DIR}")
here=$(dirname "$(realpath "$0")")
mkdir -p "$dir"

if [ -n "${WOLFSSL_SRC:-}" ]; then
    [ -f "$WOLFSSL_SRC/configure.ac" ] || {
        echo "build-wolfssl: WOLFSSL_SRC=$WOLFSSL_SRC is not a wolfSSL source tree" >&2
        exit 1
    }
    rm -rf "$dir/src"
    cp -a "$WOLFSSL_SRC" "$dir/src"
elif [ ! -f "$dir/src/configure.ac" ]; then
    echo "  FETCH wolfSSL (once; kept under $dir)"
    "$here/fetch-wolfssl.sh" "$dir/src"
fi

# What is older has neither X25519MLKEM768 nor the functions that stapling and PKCS #12 use.
version=$(sed -n 's/^AC_INIT(\[wolfssl\],\[\([0-9.]*\)\].*/\1/p' "$dir/src/configure.ac")
if [ "$(printf '5.9\n%s\n' "$version" | sort -V | head -n 1)" != 5.9 ]; then
    echo "build-wolfssl: wolfSSL ${version:-of an unknown version} in $dir/src is too old:" \
        "5.9 or newer is needed" >&2
    exit 1
fi

# The assembly that this processor family has.
case $(uname -m) in
x86_64) asm="--enable-intelasm --enable-sp-asm" ;;
aarch64) asm="--enable-armasm --enable-sp-asm" ;;
*) asm= ;;
esac

# wolfSSL's flags are ours: those that the user gave make are for our own code. So is the
# place that `make install` was given, before anything was built.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES CFLAGS CPPFLAGS LDFLAGS DESTDIR INSTALL

echo "  BUILD wolfSSL (about half a minute)"
rm -rf "$dir/install" "$dir/obj"
mkdir -p "$dir/obj"
cd "$dir/obj"
log=$dir/build.log
fail() {
    tail -n 30 "$log" >&2
    echo "build-wolfssl: wolfSSL did not build; the whole log is $log" >&2
    exit 1
}
# CUSTOM_RAND: random bytes are the kernel's (wolfssl-random.c), without a generator for each
# connection that has to be seeded and tests itself; and no file is opened for them, so
# chroots and closed fds do not matter.
# SMALL_STACK: handshakes are made on the threads of programs, whose stacks may be as small as
# PTHREAD_STACK_MIN (16 KiB); it costs one instruction in a hundred.
# ALWAYS_VERIFY_CB: our authorisation runs on every leaf, before our Finished.
# hrrcookie: without it a client does not send back the cookie of a HelloRetryRequest, as
# RFC 8446 section 4.2.2 demands, and Java's servers rely on it.
# TICKET_NONCE: servers choose how long the nonce of a ticket is, 32 bytes at most so far.
# TICKET_EXTRA_PADDING: a TLS 1.2 client may come with the ticket of another server, which
# holds certificates; where wolfSSL has no room for it the handshake fails.
# No --enable-keylog-export: it prints secrets.
flags="-O2 -g -fvisibility=hidden -fexceptions -DHAVE_SECRET_CALLBACK
    -DWOLFSSL_SMALL_STACK -DWOLFSSL_ALWAYS_VERIFY_CB -DKEEP_PEER_CERT -DWOLFSSL_ALT_NAMES
    -DCUSTOM_RAND_GENERATE_BLOCK=wolfssl_random_block -include $here/wolfssl-random.h
    -DTLS13_TICKET_NONCE_STATIC_SZ=32 -DWOLFSSL_TICKET_EXTRA_PADDING_SZ=8192"
# Who builds reproducibly (packages do) gets no path of this machine into the archive.
[ -z "${SOURCE_DATE_EPOCH:-}" ] || flags="$flags -ffile-prefix-map=$dir=wolfssl
    -ffile-prefix-map=$here=wolfssl"

if [ ! -x "$dir/src/configure" ]; then
    (cd "$dir/src" && autoreconf -i) >"$log" 2>&1 || fail
fi
# shellcheck disable=SC2086 # $asm is a list of options
"$dir/src/configure" --quiet --prefix="$dir/install" --enable-static --disable-shared --with-pic \
    $asm --enable-sp=yes --enable-atomicuser \
    --enable-certgen --enable-certext --enable-certreq --enable-keygen --enable-enckeys \
    --enable-pkcs12 --enable-sni --enable-curve25519 --enable-ed25519 --enable-mlkem \
    --enable-crl --enable-ocsp --enable-ocspstapling --enable-session-ticket \
    --enable-altcertchains --enable-hrrcookie --disable-oldtls --disable-sys-ca-certs \
    --disable-hashdrbg --disable-dh --disable-examples --disable-crypttests --disable-benchmark \
    CFLAGS="$(echo $flags)" >"$log" 2>&1 || fail
make -s -j"$(nproc)" src/libwolfssl.la >>"$log" 2>&1 || fail
make -s install-libLTLIBRARIES install-nobase_includeHEADERS install-data >>"$log" 2>&1 || fail
# shellcheck disable=SC2086 # $CC and $flags are lists of words
${CC:-cc} $flags -fPIC -I"$here/.." -I"$dir/install/include" -c "$here/wolfssl-random.c" \
    -o random-block.o >>"$log" 2>&1 || fail
ar r "$dir/install/lib/libwolfssl.a" random-block.o >>"$log" 2>&1 || fail
# What a session is to be resumed with has no other way in or out: session/ticket_wolfssl.c.
cp "$dir/src/wolfssl/internal.h" "$dir/install/include/wolfssl/" || fail
rm -rf "$dir/obj"
