#!/bin/bash
# The development CA: what it makes is judged by openssl.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

ctl=$BUILD/bin/mtlsctl
cd "$TMP"

ca() {
    "$ctl" ca "$@"
}

mode_of() {
    stat -c %a "$1"
}

verify() { # FILE [OPTION...]
    local file=$1
    shift
    openssl verify -x509_strict -CAfile ca/ca.pem "$@" "$file"
}

# Passes when a command ends with a status and says something that matches.
says() { # STATUS PATTERN COMMAND...
    local want=$1 pattern=$2 out status=0
    shift 2
    out=$("$@" 2>&1) || status=$?
    if [ "$status" -ne "$want" ]; then
        echo "status $status, want $want: $out"
        return 1
    fi
    grep -qE -- "$pattern" <<<"$out" || {
        echo "no '$pattern' in: $out"
        return 1
    }
}

text_has() { # FILE PATTERN
    openssl x509 -in "$1" -noout -text | grep -qE "$2"
}

same_key() { # PEM KEY
    cmp <(openssl x509 -in "$1" -noout -pubkey) <(openssl pkey -in "$2" -pubout)
}

serial_of() {
    openssl x509 -in "$1" -noout -serial | sed 's/serial=//' | tr 'A-F' 'a-f'
}

# ---- init ---------------------------------------------------------------------------

check "init makes a CA" ca init --name "Test CA"
same "directory is private" 700 "$(mode_of ca)"
same "CA key is private" 600 "$(mode_of ca/ca.key)"
same "CA certificate is public" 644 "$(mode_of ca/ca.pem)"
check "CA certificate is strict X.509" openssl verify -x509_strict -CAfile ca/ca.pem ca/ca.pem
check "CA may sign certificates and lists" text_has ca/ca.pem "Certificate Sign, CRL Sign"
check "CA has a path length of 0" text_has ca/ca.pem "CA:TRUE, pathlen:0"
check "CA key belongs to it" same_key ca/ca.pem ca/ca.key
before=$(sha256sum ca/ca.pem ca/ca.key ca/index)
check "init does not overwrite a CA" says 1 "there already" ca init
same "the CA is as before" "$before" "$(sha256sum ca/ca.pem ca/ca.key ca/index)"
mkdir open && chmod 777 open
check "init refuses a directory others write to" says 1 "others may write" ca init --dir open
check "init needs the parent directory" says 1 "cannot make the directory" ca init --dir none/ca

# ---- issue --------------------------------------------------------------------------

check "issue makes a pair" ca issue web.internal
check "leaf verifies as a server" verify ca/web.internal.pem -purpose sslserver \
    -verify_hostname web.internal
check "leaf verifies as a client" verify ca/web.internal.pem -purpose sslclient
same "leaf key is private" 600 "$(mode_of ca/web.internal.key)"
same "leaf certificate is public" 644 "$(mode_of ca/web.internal.pem)"
check "leaf key belongs to it" same_key ca/web.internal.pem ca/web.internal.key
check "leaf is no CA" text_has ca/web.internal.pem "CA:FALSE"
check "key usage is critical" text_has ca/web.internal.pem "Key Usage: critical"
check "serial is in the index" grep -q "^valid $(serial_of ca/web.internal.pem) " ca/index
same "serial has 16 octets" 32 "$(serial_of ca/web.internal.pem | tr -d '\n' | wc -c)"
check "validity begins a little back" test \
    "$(date -d "$(openssl x509 -in ca/web.internal.pem -noout -startdate | cut -d= -f2)" +%s)" \
    -lt "$(($(date +%s) - 60))"

mkdir out
check "issue takes all kinds of names" ca issue multi --out out --dns a.test --dns '*.b.test' \
    --ip 10.1.2.3 --ip 2001:db8::7 --uri spiffe://corp/ns/shop/sa/web --cn "Web front" --ou Shop
for name in "-verify_hostname a.test" "-verify_hostname x.b.test" "-verify_ip 10.1.2.3" \
    "-verify_ip 2001:db8::7"; do
    # shellcheck disable=SC2086 # an option and its value
    check "multi verifies with $name" verify out/multi.pem $name
done
check "multi has its URI" text_has out/multi.pem "URI:spiffe://corp/ns/shop/sa/web"
check "multi has its subject" text_has out/multi.pem "Subject: OU = Shop, CN = Web front"
check "names given replace the default one" says 2 "hostname mismatch" verify out/multi.pem \
    -verify_hostname multi

check "server only" ca issue srv --server
check "server only is no client" says 2 "unsuitable certificate purpose" verify ca/srv.pem \
    -purpose sslclient
check "client only" ca issue cli --client
check "client only is no server" says 2 "unsuitable certificate purpose" verify ca/cli.pem \
    -purpose sslserver

check "issue beyond the CA's end" says 0 "the CA's own end" ca issue long --days 36000
same "leaf ends with the CA" "$(openssl x509 -in ca/ca.pem -noout -enddate)" \
    "$(openssl x509 -in ca/long.pem -noout -enddate)"

# ---- renewing -----------------------------------------------------------------------

old=$(serial_of ca/web.internal.pem)
check "renew" ca issue web.internal
check "renewed pair belongs together" same_key ca/web.internal.pem ca/web.internal.key
check "renewed has another serial" test "$old" != "$(serial_of ca/web.internal.pem)"
same "the index has both" 2 "$(grep -c ' web.internal$' ca/index)"
same "renewing leaves nothing behind" "" "$(find ca -name '*.??????' -o -name '*.old')"

# A directory in the way of the certificate stops the second of the two renames.
mkdir half
cp ca/web.internal.key half/web.internal.key
mkdir half/web.internal.pem
touch half/web.internal.pem/in-the-way
before=$(sha256sum half/web.internal.key)
check "a failing renewal says so" says 1 "nothing was changed" ca issue web.internal --out half
same "a failing renewal leaves the old key" "$before" "$(sha256sum half/web.internal.key)"
same "a failing renewal leaves no files" "web.internal.key
web.internal.pem" "$(ls -A half)"

# ---- several at once ----------------------------------------------------------------

pids=()
for i in 1 2 3 4 5 6 7 8; do
    ca issue "many-$i" >/dev/null 2>"many-$i.err" &
    pids+=($!)
done
tap_pid "${pids[@]}"
failures=0
for pid in "${pids[@]}"; do
    wait "$pid" || failures=$((failures + 1))
done
same "eight at once all succeed" 0 "$failures"
same "eight at once are all in the index" 8 "$(grep -c ' many-' ca/index)"
check "eight at once all verify" verify ca/many-1.pem ca/many-[2-8].pem

# ---- revoking -----------------------------------------------------------------------

check "an empty list" ca crl
check "an empty list is accepted" verify ca/srv.pem -crl_check -CRLfile ca/ca.crl
check "revoke by name" says 0 "revoked srv" ca revoke srv
check "revoking twice does no harm" says 0 "already revoked" ca revoke srv
multi=$(serial_of out/multi.pem)
check "revoke by serial" says 0 "revoked multi" ca revoke --serial \
    "$(sed 's/../&:/g; s/:$//' <<<"${multi^^}")"
check "revoke of the unknown" says 1 "issued no 'nobody'" ca revoke nobody
check "a list" ca crl --days 7 --out out/list.crl
check "openssl accepts its signature" says 0 "verify OK" openssl crl -in out/list.crl -CAfile \
    ca/ca.pem -noout
check "it is version 2" says 0 "Version 2" openssl crl -in out/list.crl -noout -text
check "it has a number" says 0 "X509v3 CRL Number" openssl crl -in out/list.crl -noout -text
check "numbers grow" says 0 "crlNumber=(0x)?0*2$" openssl crl -in out/list.crl -noout -crlnumber
check "revoked by name is refused" says 2 "certificate revoked" verify ca/srv.pem -crl_check \
    -CRLfile out/list.crl
check "revoked by serial is refused" says 2 "certificate revoked" verify out/multi.pem -crl_check \
    -CRLfile out/list.crl
check "others are accepted" verify ca/cli.pem -crl_check -CRLfile out/list.crl
check "revoking a name takes its old certificates too" says 0 "serial $old" ca revoke web.internal
check "list" says 0 "^revoked $multi .* multi$" ca list

# ---- other keys ---------------------------------------------------------------------

for kind in p384 ed25519 rsa2048 rsa3072; do
    check "CA with $kind" ca init --dir "ca-$kind" --key "$kind"
    check "leaf with $kind" ca issue one --dir "ca-$kind" --key "$kind"
    check "list with $kind" ca crl --dir "ca-$kind"
    check "openssl accepts $kind" openssl verify -x509_strict -crl_check -CRLfile \
        "ca-$kind/ca.crl" -CAfile "ca-$kind/ca.pem" "ca-$kind/one.pem"
    check "the $kind pair belongs together" same_key "ca-$kind/one.pem" "ca-$kind/one.key"
done

# ---- wrong use ----------------------------------------------------------------------

check "mtlsctl without a command" says 2 "usage: mtlsctl COMMAND" "$ctl"
check "mtlsctl with an unknown command" says 2 "unknown command 'frob'" "$ctl" frob
check "mtlsctl --help" says 0 "^  ca " "$ctl" --help
check "mtlsctl --version" says 0 "^mtlsctl [0-9]" "$ctl" --version
check "no command" says 2 "usage: mtlsctl ca" ca
check "unknown command" says 2 "unknown command 'frob'" ca frob
check "unknown option" says 2 "--frob: unknown option" ca issue x --frob
check "an option of another command" says 2 "unknown option" ca revoke x --dns y
check "a value that is missing" says 2 "needs a value" ca issue x --dns
check "no NAME" says 2 "NAME: is missing" ca issue
check "bad address" says 2 "not an IPv4 or IPv6 address" ca issue x --ip 300.1.1.1
check "bad URI" says 2 "not a URI" ca issue x --uri nonsense
check "bad days" says 2 "must be a number" ca issue x --days -3
check "bad key kind" says 2 "must be p256" ca issue x --key dsa
check "a NAME that would leave the directory" says 1 "cannot be a NAME" ca issue ../x
check "a NAME that would overwrite the CA" says 1 "cannot be a NAME" ca issue ca
check "no CA there" says 1 "mtlsctl ca init" ca issue x --dir nowhere
for command in init issue revoke crl list; do
    check "help of $command" says 0 "^ +--dir" ca "$command" --help
done
check "help" says 0 "issue" ca --help

cp -r ca broken
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out broken/ca.key 2>/dev/null
check "a key that is not the CA's" says 1 "does ca.key belong to it" ca issue x --dir broken
cp -r ca broken2
echo nonsense >>broken2/index
check "a damaged index" says 1 "index:[0-9]+: not a line" ca list --dir broken2

finish
