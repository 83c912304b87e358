#!/bin/bash
# CAs below others, requests, renewal and export: what they make is judged by openssl.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

ctl=$BUILD/bin/mtlsctl
cd "$TMP"

ca() {
    "$ctl" ca "$@"
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

verify() { # FILE [OPTION...]: its own chain goes to the root
    local file=$1
    shift
    openssl verify -x509_strict -CAfile ca/ca.pem -untrusted "$file" "$@" "$file"
}

text_has() { # FILE PATTERN
    openssl x509 -in "$1" -noout -text | grep -qE "$2"
}

same_key() { # PEM KEY
    cmp <(openssl x509 -in "$1" -noout -pubkey) <(openssl pkey -in "$2" -pubout)
}

field_of() { # FILE -OPTION
    openssl x509 -in "$1" -noout "$2"
}

# What a policy with this pair of files makes of itself.
policy_with() { # LINE...
    printf '%s\n' "[shim]" "log = none" "default_inbound = deny" "default_outbound = deny" \
        "[identity own]" "trust = ca/ca.pem" "$@" >policy.ini
    "$ctl" check policy.ini
}

# ---- a CA below the root ------------------------------------------------------------

ca init --dir flat >/dev/null
check "a root without path length has none below" says 1 "path length is 0" ca sub x --dir flat
same "and nothing is left of the attempt" "" "$(find flat -name x)"

check "init with a path length" ca init --path-length 2 --name Root
check "path length is in the certificate" text_has ca/ca.pem "CA:TRUE, pathlen:2"
check "a CA below it" ca sub site --path-length 1 --permit dns:site.internal \
    --permit ip:10.0.0.0/8 --permit uri:corp --exclude dns:secret.site.internal
check "its certificate verifies" openssl verify -x509_strict -CAfile ca/ca.pem ca/site/ca.pem
check "its name constraints are critical" text_has ca/site/ca.pem "Name Constraints: critical"
same "its key is private" 600 "$(stat -c %a ca/site/ca.key)"
same "its directory is private" 700 "$(stat -c %a ca/site)"
before=$(sha256sum ca/site/*)
check "it is not made twice" says 1 "there already" ca sub site
same "it is as before" "$before" "$(sha256sum ca/site/*)"
check "path lengths get smaller" says 1 "must be below" ca sub wide --path-length 2
# wolfSSL compares the CN of a certificate without alternative names, a CA's too.
check "a CA below that one is named as it allows" says 1 "name constraints" ca sub rack --dir ca/site
check "a CA below that one" ca sub rack --dir ca/site --permit dns:rack.site.internal \
    --name rack.site.internal

check "issue from it" ca issue web.site.internal --dir ca/site --dns web.site.internal \
    --ip 10.1.2.3 --uri spiffe://corp/web
check "the chain verifies" verify ca/site/web.site.internal.pem -purpose sslserver \
    -verify_hostname web.site.internal
same "the file holds leaf and CA" 2 "$(grep -c BEGIN ca/site/web.site.internal.pem)"
check "issue two levels down" ca issue a.rack.site.internal --dir ca/site/rack
check "a chain of three verifies" verify ca/site/rack/a.rack.site.internal.pem
same "the file holds leaf and two CAs" 3 "$(grep -c BEGIN ca/site/rack/a.rack.site.internal.pem)"
check "the shim accepts the chain" policy_with \
    "certificate = ca/site/rack/a.rack.site.internal.pem" \
    "private_key = ca/site/rack/a.rack.site.internal.key"

for name in "--dns other.internal" "--dns x.secret.site.internal" "--ip 11.0.0.1" \
    "--uri spiffe://other/web"; do
    # shellcheck disable=SC2086 # an option and its value
    check "the CA does not issue for $name" says 1 "name constraints" ca issue bad \
        --dir ca/site $name
done
same "what is refused is nowhere" "" "$(find ca -name 'bad*'; grep ' bad$' ca/site/index || true)"
check "a constraint that is none" says 2 "want dns:DOMAIN" ca sub y --permit mail:x
check "a net that is none" says 2 "want dns:DOMAIN" ca sub y --permit ip:10.0.0.0/33

# ---- lists of several CAs -----------------------------------------------------------

ca revoke web.site.internal --dir ca/site >/dev/null
check "the lists of all CAs" says 0 "ca/site/rack/ca.crl" ca crl --all --days 3
cat ca/ca.crl ca/site/ca.crl ca/site/rack/ca.crl >all.crl
check "a chain verifies with all lists" verify ca/site/rack/a.rack.site.internal.pem \
    -crl_check_all -CRLfile all.crl
check "what a CA below has revoked is refused" says 2 "certificate revoked" verify \
    ca/site/web.site.internal.pem -crl_check_all -CRLfile all.crl
first=$(openssl crl -in ca/site/ca.crl -noout -nextupdate)
check "a list is written anew" ca crl --dir ca/site --days 9
check "it is due later" test "$first" != "$(openssl crl -in ca/site/ca.crl -noout -nextupdate)"
mkdir lists && cp ca/ca.crl lists/root.crl && cp ca/site/ca.crl lists/site.crl &&
    cp ca/site/rack/ca.crl lists/rack.crl
check "the shim takes the lists" policy_with "crl = lists" \
    "certificate = ca/site/rack/a.rack.site.internal.pem" \
    "private_key = ca/site/rack/a.rack.site.internal.key"
ca revoke site >/dev/null
ca crl >/dev/null
cat ca/ca.crl ca/site/ca.crl ca/site/rack/ca.crl >all.crl
check "a CA that is revoked takes all with it" says 2 "certificate revoked" verify \
    ca/site/rack/a.rack.site.internal.pem -crl_check_all -CRLfile all.crl
check "and is not renewed" says 1 "was revoked" ca renew site

# ---- renewing -----------------------------------------------------------------------

ca sub shop --path-length 0 >/dev/null
ca issue till --dir ca/shop --uri spiffe://corp/till --cn Till --ou Shop --server --days 40 \
    --key p384 >/dev/null
cp ca/shop/till.pem old.pem
cp ca/shop/till.key old.key
check "renew" ca renew till --dir ca/shop
for option in -subject -issuer "-ext subjectAltName" "-ext extendedKeyUsage"; do
    # shellcheck disable=SC2086 # an option and its value
    same "renewed has the same ${option#-}" "$(openssl x509 -in old.pem -noout $option)" \
        "$(openssl x509 -in ca/shop/till.pem -noout $option)"
done
check "renewed has another serial" test "$(field_of old.pem -serial)" != \
    "$(field_of ca/shop/till.pem -serial)"
check "renewed verifies" verify ca/shop/till.pem -purpose sslserver
check "renewed has a key of its own" same_key ca/shop/till.pem ca/shop/till.key
check "it is a new key" says 1 "differ" cmp old.key ca/shop/till.key
check "of the same kind" text_has ca/shop/till.pem "secp384r1"
days=$((($(date -d "$(field_of ca/shop/till.pem -enddate | cut -d= -f2)" +%s) - $(date +%s) + 43200) / 86400))
same "for as long" 40 "$days"
cp ca/shop/till.key kept.key
check "renew with the same key" ca renew till --dir ca/shop --keep-key --days 90
check "the key is the same" cmp kept.key ca/shop/till.key
check "and belongs to it" same_key ca/shop/till.pem ca/shop/till.key
check "renew with another kind" ca renew till --dir ca/shop --key rsa2048
check "and that is what it is" text_has ca/shop/till.pem "rsaEncryption"
same "no half files" "" "$(find ca -name '*.??????' -o -name '*.old')"

check "renew a CA" ca renew shop
check "what it has issued stays good" openssl verify -x509_strict -CAfile ca/ca.pem \
    -untrusted ca/shop/chain.pem ca/shop/till.pem
check "what it issues is good" ca issue next --dir ca/shop
check "with its new certificate" verify ca/shop/next.pem
same "the new one is in the chain" "$(openssl x509 -in ca/shop/ca.pem -noout -serial)" \
    "$(openssl crl2pkcs7 -nocrl -certfile ca/shop/next.pem | openssl pkcs7 -print_certs |
        sed -n '/subject=CN = shop/,$p' | openssl x509 -noout -serial)"

cp ca/shop/till.pem foreign.pem
check "what another CA issued is not renewed" says 1 "not signed by the CA" ca renew foreign \
    --out . --keep-key
check "nor is what is not there" says 1 "No such file" ca renew nothing
check "a key of its own and no key" says 2 "either --keep-key" ca renew till --key p256 --keep-key
ca issue gone --dir ca/shop >/dev/null
ca revoke gone --dir ca/shop >/dev/null
check "what is revoked is not renewed" says 1 "was revoked" ca renew gone --dir ca/shop

# Who reads the pair while it is renewed gets one that fits, or hears that it does not.
ca issue busy >/dev/null
(
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        ca renew busy || exit 1
    done
) >renewals.log 2>&1 &
renewing=$!
tap_pid "$renewing"
readings=0
odd=
while kill -0 "$renewing" 2>/dev/null; do
    out=$(policy_with "certificate = ca/busy.pem" "private_key = ca/busy.key" 2>&1) ||
        grep -q "does not belong to the certificate" <<<"$out" || odd=$out
    readings=$((readings + 1))
done
check "renewing again and again" wait "$renewing"
same "no reader met half a file" "" "$odd"
check "there were readers" test "$readings" -gt 0
check "the last pair fits" policy_with "certificate = ca/busy.pem" "private_key = ca/busy.key"

# ---- requests -----------------------------------------------------------------------

request() { # NAME OPTION...
    local name=$1
    shift
    openssl req -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout "$name.key" \
        -out "$name.csr" "$@" 2>/dev/null
}

request box -subj "/O=Box Ltd/CN=box" -addext "subjectAltName=DNS:box.internal,IP:10.9.8.7" \
    -addext "extendedKeyUsage=clientAuth" -addext "basicConstraints=critical,CA:TRUE"
check "a dry run shows what is asked for" says 0 "DNS:box.internal, IP:10.9.8.7" ca sign box \
    --csr box.csr --dry-run
check "and signs nothing" says 1 "No such file" cat ca/box.pem
check "nor is it in the index" says 1 "^0$" grep -c ' box$' ca/index
check "sign" ca sign box --csr box.csr --dns mine.internal
check "it verifies" verify ca/box.pem -verify_hostname mine.internal
check "for the key of the request" same_key ca/box.pem box.key
check "names are not taken unasked" says 1 "" text_has ca/box.pem box.internal
same "nor is the subject" "subject=CN = box" "$(field_of ca/box.pem -subject)"
check "nor is a CA made of it" text_has ca/box.pem "CA:FALSE"
check "usage is ours" verify ca/box.pem -purpose sslserver
check "it is in the index" grep -q ' box$' ca/index
check "there is no second one" says 1 "--force replaces it" ca sign box --csr box.csr
check "but by force" ca sign box --csr box.csr --force --take-names --take-usage --take-subject
check "names are taken" verify ca/box.pem -verify_hostname box.internal -purpose sslclient
check "so is the usage" says 2 "unsuitable" verify ca/box.pem -purpose sslserver
same "so is the subject" "subject=O = Box Ltd, CN = box" "$(field_of ca/box.pem -subject)"
check "still no CA" text_has ca/box.pem "CA:FALSE"
check "renewing it needs no key" ca renew box --keep-key
check "and has the key of the request" same_key ca/box.pem box.key
check "a new key is not made for others" says 1 "its owner has it" ca renew box

sed '3s/[A-Z]/x/' box.csr >broken.csr
check "a request that was changed" says 1 "not signed with the key|no certificate request" ca sign z \
    --csr broken.csr
check "what is no request" says 1 "no certificate request" ca sign z --csr ca/ca.pem
request mail -subj /CN=m -addext "subjectAltName=email:a@b.c"
check "a kind of name that is not issued" says 1 "neither DNS" ca sign z --csr mail.csr --take-names
openssl req -new -nodes -newkey rsa:1024 -keyout weak.key -out weak.csr -subj /CN=w 2>/dev/null
check "a key that is too short" says 1 "too short" ca sign z --csr weak.csr
ca sub tight --permit dns:tight.internal >/dev/null
check "constraints hold for requests, too" says 1 "name constraints" ca sign box --csr box.csr \
    --dir ca/tight --take-names
check "no request" says 2 "give --csr" ca sign z

# ---- PKCS#12 ------------------------------------------------------------------------

(umask 077 && echo "open sesame" >pass && echo "open barley" >wrong)
check "export" ca p12 next --dir ca/shop --passphrase-file pass
same "what it writes is private" 600 "$(stat -c %a ca/shop/next.p12)"
check "openssl opens it" openssl pkcs12 -in ca/shop/next.p12 -passin file:pass -nodes -out out.pem
check "the key is the same" same_key ca/shop/next.pem out.pem
same "the chain is in it" 2 "$(grep -c "BEGIN CERTIFICATE" out.pem)"
check "not with another passphrase" says 1 "invalid password" openssl pkcs12 \
    -in ca/shop/next.p12 -passin file:wrong -nodes
check "it is AES" says 0 "Shrouded Keybag: PBES2, PBKDF2, AES-256-CBC" openssl pkcs12 -info -noout \
    -in ca/shop/next.p12 -passin file:pass
check "it is no pkcs12 of old" says 1 "" bash -c "openssl pkcs12 -info -noout \
    -in ca/shop/next.p12 -passin file:pass 2>&1 | grep -iE 'sha1|rc2|3des'"
check "the shim opens it" policy_with "pkcs12 = ca/shop/next.p12" "passphrase_file = pass"
check "with RSA, too" ca p12 till --dir ca/shop --passphrase-file pass
check "and the shim opens that" policy_with "pkcs12 = ca/shop/till.p12" "passphrase_file = pass"
check "none is replaced" says 1 "--force replaces it" ca p12 next --dir ca/shop \
    --passphrase-file pass
check "but by force" ca p12 next --dir ca/shop --passphrase-file pass --force
chmod 644 wrong
check "a passphrase that all may read" says 1 "wrong" ca p12 next --dir ca/shop --force \
    --passphrase-file wrong
check "no passphrase" says 2 "give --passphrase-file" ca p12 next

# ---- list ---------------------------------------------------------------------------

check "the list as JSON" python3 -c "
import json, subprocess, sys
said = json.loads(subprocess.check_output([sys.argv[1], 'ca', 'list', '--json', '--dir', 'ca/shop']))
rows = {row['name']: row for row in said['issued']}
assert rows['gone']['state'] == 'revoked' and rows['gone']['revoked_at'], rows['gone']
assert rows['next']['state'] == 'valid' and rows['next']['days_left'] in (364, 365), rows['next']
" "$ctl"

finish
