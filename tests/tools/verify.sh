#!/bin/bash
# mtlsctl verify: whether certificates in files would be let in, by which rule, and why not.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

ctl=$BUILD/bin/mtlsctl
cd "$TMP"

# judge NAME STATUS PATTERN ARGUMENT...
judge() {
    local name=$1 want=$2 pattern=$3 out status=0
    shift 3
    out=$("$ctl" verify "$@" 2>&1) || status=$?
    if [ "$status" -ne "$want" ]; then
        not_ok "$name" "status $status, want $want: $out"
    elif ! grep -qE -- "$pattern" <<<"$out"; then
        not_ok "$name" "no '$pattern' in: $out"
    else
        ok "$name"
    fi
}

ca() {
    "$ctl" ca "$@" >/dev/null
}

ca init --path-length 1
ca sub site --permit dns:site.internal
ca issue db.site.internal --dir ca/site --server
ca issue shop --uri spiffe://corp/ns/shop/sa/web --client
ca issue both --dns both.internal
ca issue gone --client
ca revoke gone
ca crl
ca init --dir other --name "Other CA"
ca issue shop --dir other --client
db=ca/site/db.site.internal.pem
openssl x509 -in "$db" >leaf.pem

cat >policy.ini <<'INI'
[shim]
log = none
default_inbound = deny
default_outbound = plaintext

[identity own]
certificate = nowhere.pem
private_key = nowhere.key
trust = ca/ca.pem

[identity strict]
certificate = nowhere.pem
private_key = nowhere.key
trust = ca/ca.pem
crl = ca/ca.crl

[outbound db]
remote = *.site.internal:5432
mode = mtls
identity = own

[inbound http]
local = *:8080
mode = mtls
identity = strict
allow = uri:spiffe://corp/ns/shop/sa/*, cn:gone
deny = cn:evil

[inbound twice]
local = *:8081
mode = mtls
identity = own

[outbound twice]
remote = *:8081
mode = mtls
identity = own
verify = chain

[inbound shut]
local = *:8082
mode = deny
INI

# ---- by a rule ------------------------------------------------------------------------------

judge "a server by its connection" 0 "it is for db.site.internal" "$db" \
    -p policy.ini --outbound db.site.internal:5432
judge "it says which rule" 0 "^rule outbound db \(.*policy.ini:17\)" "$db" -p policy.ini \
    --outbound db.site.internal:5432
judge "it shows the certificate" 0 "DNS:db.site.internal" "$db" -p policy.ini --rule db \
    --name db.site.internal
judge "another name" 1 "name_mismatch" "$db" -p policy.ini --outbound x.site.internal:5432
judge "a server without its chain" 1 "unknown_ca" leaf.pem -p policy.ini --rule db \
    --name db.site.internal
judge "a chain in two files" 0 "let in" leaf.pem ca/site/ca.pem -p policy.ini --rule db \
    --name db.site.internal
judge "a client by its rule" 0 "allow has it as uri:spiffe://corp/ns/shop/sa/\*" ca/shop.pem \
    -p policy.ini --rule http
judge "a client by where it comes in" 0 "crl has it not.*deny has it not" ca/shop.pem \
    -p policy.ini --inbound 10.0.0.1:8080
judge "who is not in allow" 1 "denied_by_allow" ca/both.pem -p policy.ini --rule http
judge "who was revoked" 1 "revoked" ca/gone.pem -p policy.ini --rule http
judge "who shows a revoked one beside its own" 0 "let in" ca/shop.pem ca/gone.pem \
    -p policy.ini --rule http
judge "who is of another CA" 1 "unknown_ca" other/shop.pem -p policy.ini --rule http
judge "a server as a client" 1 "wrong_usage" "$db" -p policy.ini --rule inbound:twice
judge "a mode that denies" 1 "mode deny" ca/shop.pem -p policy.ini --rule shut
judge "no rule, and plaintext by default" 0 "mode plaintext" ca/shop.pem -p policy.ini \
    --outbound 10.0.0.1:1
judge "two rules of a name" 2 "two rules" ca/shop.pem -p policy.ini --rule twice
judge "one of them" 0 "rule inbound twice" ca/shop.pem -p policy.ini --rule inbound:twice
judge "the other" 1 "rule outbound twice" ca/shop.pem -p policy.ini --rule outbound:twice
judge "no such rule" 2 "no such rule" ca/shop.pem -p policy.ini --rule nobody

# ---- by all rules ---------------------------------------------------------------------------

judge "by every rule" 0 "rule inbound http" ca/shop.pem -p policy.ini
judge "each of them" 0 "rule outbound twice" ca/shop.pem -p policy.ini
judge "let in by none" 1 "unknown_ca" other/shop.pem -p policy.ini

# ---- without a policy -----------------------------------------------------------------------

judge "trust, as a server" 0 "let in" "$db" --trust ca/ca.pem --server
judge "trust, as a client" 1 "wrong_usage" "$db" --trust ca/ca.pem --client
judge "trust and a name" 0 "it is for db.site.internal" "$db" --trust ca/ca.pem \
    --name db.site.internal
judge "trust and another name" 1 "name_mismatch" "$db" --trust ca/ca.pem --name x
judge "trust and a list" 1 "revoked" ca/gone.pem --trust ca/ca.pem --client --crl ca/ca.crl
judge "trust that is none" 78 "holds no" "$db" --trust policy.ini --server
judge "as what" 2 "what is it to be used as" "$db" --trust ca/ca.pem
judge "by what" 2 "by what" "$db"

# ---- expired --------------------------------------------------------------------------------

openssl req -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout old.key -out old.csr \
    -subj /CN=old 2>/dev/null
: >index.txt
cat >ca.cnf <<'CNF'
[ca]
default_ca = d
[d]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = p
[p]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
subjectAltName = DNS:db.evil.test
CNF
sign_with() { # DIR STARTDATE ENDDATE OUT: what mtlsctl would not sign
    openssl ca -batch -notext -config ca.cnf -in old.csr -cert "$1/ca.pem" -keyfile "$1/ca.key" \
        -startdate "$2" -enddate "$3" -extensions leaf -out "$4" >/dev/null 2>&1 ||
        echo "openssl ca has failed"
}
sign_with ca 20200101000000Z 20210101000000Z old.pem
judge "expired" 1 "expired" old.pem --trust ca/ca.pem --client
judge "since when" 1 "expired [0-9]+ days ago" old.pem --trust ca/ca.pem --client

# ---- name constraints -----------------------------------------------------------------------

sign_with ca/site "$(date -u +%Y%m%d000000Z)" 20300101000000Z evil.pem
cat ca/site/ca.pem >>evil.pem
check "openssl refuses what the CA may not issue" bash -c \
    "! openssl verify -CAfile ca/ca.pem -untrusted evil.pem evil.pem"
judge "so do we" 1 "=> the peer is refused" evil.pem --trust ca/ca.pem --client

# ---- JSON -----------------------------------------------------------------------------------

check "JSON" python3 -c "
import json, subprocess, sys
def verify(*words):
    done = subprocess.run([sys.argv[1], 'verify', *words, '--json'], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout)
status, said = verify('ca/shop.pem', '-p', 'policy.ini', '--rule', 'http')
assert status == 0 and said['verdict'] == 'let_in', said
assert said['rules'][0]['allowed_by'] == 'uri:spiffe://corp/ns/shop/sa/*', said
assert said['certificates'][0]['names'] == 'URI:spiffe://corp/ns/shop/sa/web', said
status, said = verify('ca/gone.pem', '-p', 'policy.ini', '--rule', 'http')
assert status == 1 and said['verdict'] == 'refused', said
assert said['rules'][0]['reasons'][0]['reason'] == 'revoked', said
" "$ctl"

# ---- wrong use ------------------------------------------------------------------------------

judge "no certificate" 2 "CERT: is missing" -p policy.ini
judge "what holds none" 2 "holds no certificate" policy.ini -p policy.ini
judge "what is not there" 2 "No such file" nothing.pem -p policy.ini
judge "an option that is none" 2 "unknown option" ca/shop.pem --frob
judge "help" 0 "Exit status" --help
judge "a bad policy" 78 "unknown" ca/shop.pem -p ca.cnf
same "no colours in a pipe" "" "$("$ctl" verify ca/shop.pem -p policy.ini | grep -o $'\033' || true)"
coloured=$(script -qec "TERM=xterm '$ctl' verify ca/shop.pem -p policy.ini --rule http" /dev/null)
check "colours on a terminal" grep -q $'\033' <<<"$coloured"
plain=$(NO_COLOR=1 script -qec "TERM=xterm '$ctl' verify ca/shop.pem -p policy.ini --rule http" /dev/null)
same "but not with NO_COLOR" "" "$(grep -o $'\033' <<<"$plain" || true)"

finish
