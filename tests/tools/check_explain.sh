#!/bin/bash
# mtlsctl check and explain: what they say of good and bad policies, and how they end.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

ctl=$BUILD/bin/mtlsctl
cd "$TMP"
"$ctl" ca init >/dev/null
"$ctl" ca issue web >/dev/null
cp ca/ca.pem ca/web.pem ca/web.key .

cat >policy.ini <<'INI'
[shim]
log = none
default_inbound = deny
default_outbound = plaintext

[identity web]
certificate = web.pem
private_key = web.key
trust = ca.pem

[outbound db]
service = bill*
remote = 10.0.0.0/8:5432, [fd00::/8]:5432,
    db.internal:5432
mode = mtls
identity = web
allow = dns:*.db.internal,
    uri:spiffe://corp/ns/*/sa/db

[outbound program]
program = /usr/sbin/*
mode = deny

[outbound user]
user = 12345
mode = observe

[inbound http]
local = *:8080
remote = 192.0.2.0/24:*
mode = mtls
identity = web
INI

# says STATUS PATTERN COMMAND...: ends with a status and says something that matches.
says() {
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

# changed SED: a copy of the policy with a change.
changed() {
    sed "$1" policy.ini >changed.ini
}

# ---- check --------------------------------------------------------------------------

check "a good policy" says 0 "^policy.ini: no problems: identities 1, rules 4" "$ctl" check policy.ini
serial=$(openssl x509 -in web.pem -noout -serial | sed 's/serial=0*//' | tr 'A-F' 'a-f')
check "the certificate's serial and end" says 0 "identity web: serial $serial, valid until 20" \
    "$ctl" check policy.ini
same "nothing on stderr" "" "$("$ctl" check policy.ini 2>&1 >/dev/null)"
check "from another directory" says 0 "no problems" env -C / "$ctl" check "$TMP/policy.ini"

changed '2s/log/logg/; 15s/mtls/tls/; s/web.key/none.key/'
check "every problem: the first" says 78 "^changed.ini:2: .*logg" "$ctl" check changed.ini
check "every problem: the second" says 78 "^changed.ini:15: .*'tls'" "$ctl" check changed.ini
same "nothing on stdout" "" "$("$ctl" check changed.ini 2>/dev/null || true)"
changed 's/web.key/none.key/; s/ca.pem/web.pem/'
check "files too: the key" says 78 "^changed.ini:8: .*/none.key: No such file" "$ctl" check changed.ini
check "files too: the trust" says 78 "^changed.ini:9: .*/web.pem: .*CA" "$ctl" check changed.ini
chmod 644 web.key
check "an open key" says 78 "^policy.ini:8: .*/web.key: .*0644.*chmod 600" "$ctl" check policy.ini
if [ "$(id -u)" -eq 0 ]; then
    chmod 640 web.key
    check "a key of root's that root's group may read" says 78 "0640.*chmod 600" \
        "$ctl" check policy.ini
    chgrp nogroup web.key
    check "a key of root's that another group may read" "$ctl" check policy.ini
    chmod 660 web.key
    check "... and write" says 78 "0660.*chmod 600" "$ctl" check policy.ini
    chown nobody web.key
    chmod 640 web.key
    check "a key of somebody else's that a group may read" says 78 "0640.*chmod 600" \
        "$ctl" check policy.ini
    chown root:root web.key
fi
chmod 600 web.key
check "no such policy" says 78 "^nowhere.ini: .*No such file" "$ctl" check nowhere.ini
check "a directory" says 78 "^$TMP: .*directory" "$ctl" check "$TMP"
check "no operand" says 2 "usage: mtlsctl check POLICY" "$ctl" check
check "two operands" says 2 "usage: mtlsctl check POLICY" "$ctl" check policy.ini policy.ini
check "an unknown option" says 2 "--frob: unknown option" "$ctl" check --frob policy.ini
check "help" says 0 "POLICY:LINE" "$ctl" check --help

# ---- explain ------------------------------------------------------------------------

explains() { # NAME PATTERN OPTION...
    local name=$1 pattern=$2
    shift 2
    check "$name" says 0 "$pattern" "$ctl" explain policy.ini "$@"
}

explains "by name" "^=> \[outbound db\], line 11: mode = mtls" --outbound db.internal:5432 --service billing
explains "case and the last dot of a name" "^=> \[outbound db\]" --outbound DB.Internal.:5432 \
    --service billing
explains "by address" "^=> \[outbound db\]" --outbound 10.1.2.3:5432 --service billing
explains "by IPv6 address" "^=> \[outbound db\]" --outbound '[fd00::1]:5432' --service billing
explains "by a name's address" "^=> \[outbound db\]" --outbound x.org:5432 --address 10.0.0.1 \
    --service billing
explains "a name is not resolved" "remote localhost:5432 \(\?:5432\) is not in 10" \
    --outbound localhost:5432 --service billing
explains "another service" "^policy.ini:11: \[outbound db\]: no match: service shop is not bill\*" \
    --outbound db.internal:5432 --service shop
explains "no service" "service \(unset\) is not bill\*" --outbound db.internal:5432
explains "another port" "remote 10.0.0.1:80 is not in 10.0.0.0/8:5432, \[fd00::/8\]:5432, db" \
    --outbound 10.0.0.1:80 --service billing
explains "two reasons at once" "service shop is not bill\*; remote 10.0.0.1:80 is not in" \
    --outbound 10.0.0.1:80 --service shop
explains "by program" "^=> \[outbound program\], line 20: mode = deny" --outbound 1.1.1.1:1 \
    --program /usr/sbin/billingd
explains "after the winner" "\[outbound user\]: would match, but an earlier rule does" \
    --outbound 1.1.1.1:1 --program /usr/sbin/billingd --user 12345
explains "by number of the user" "^=> \[outbound user\], line 24: mode = observe" \
    --outbound 1.1.1.1:1 --user 12345
explains "by name of the user" "user 0 is not 12345" --outbound 1.1.1.1:1 --user root
explains "nothing matches" "^=> no rule matches: default_outbound = plaintext" --outbound 1.1.1.1:1
explains "the identity" "identity +web, $TMP/web.pem" --outbound 10.1.2.3:5432 --service billing
explains "the name that is verified" "verify .* db.internal$" --outbound db.internal:5432 \
    --service billing
explains "the address that is verified" "verify .* 10.1.2.3$" --outbound 10.1.2.3:5432 --service billing
explains "who may be there" "allow +dns:\*.db.internal, uri:spiffe://corp/ns/\*/sa/db" \
    --outbound 10.1.2.3:5432 --service billing
explains "inbound" "^=> \[inbound http\], line 28: mode = mtls" --inbound 10.0.0.1:8080 --from 192.0.2.7
explains "inbound, IPv6" "local \[::1\]:8080" --inbound '[::1]:8080' --from 192.0.2.7:99
explains "inbound from elsewhere" "remote 10.9.9.9 is not in 192.0.2.0/24:\*" \
    --inbound 10.0.0.1:8080 --from 10.9.9.9
explains "inbound from nowhere" "remote unknown is not in 192.0.2.0/24:\*" --inbound 10.0.0.1:8080
explains "inbound default" "^=> no rule matches: default_inbound = deny" --inbound 10.0.0.1:1

# ---- explain --peer -------------------------------------------------------------------

"$ctl" ca issue db --dns a.db.internal --ou ops >/dev/null
"$ctl" ca issue asker --client --dns a.db.internal >/dev/null
"$ctl" ca issue other --dns b.org --uri spiffe://corp/ns/x/sa/db >/dev/null
"$ctl" ca init --dir foreign >/dev/null
"$ctl" ca issue db --dir foreign --dns a.db.internal >/dev/null
# A CA that may have others below it (that of mtlsctl may not), one of them, and its leaf.
openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -subj /CN=root 2>/dev/null
openssl req -new -newkey rsa:2048 -nodes -keyout sub.key -out sub.csr -subj /CN=sub 2>/dev/null
openssl x509 -req -in sub.csr -CA root.pem -CAkey root.key -out sub.pem -days 9 -extfile \
    <(echo basicConstraints=critical,CA:TRUE) 2>/dev/null
openssl req -new -key web.key -out leaf.csr -subj /CN=leaf 2>/dev/null
openssl x509 -req -in leaf.csr -CA sub.pem -CAkey sub.key -out leaf.pem -days 9 -extfile \
    <(echo subjectAltName=DNS:a.db.internal) 2>/dev/null
cat leaf.pem sub.pem >leaf-chain.pem
openssl x509 -in ca/db.pem -outform DER -out db.der

peer() { # NAME STATUS PATTERN OPTION...
    local name=$1 status=$2 pattern=$3
    shift 3
    check "$name" says "$status" "$pattern" "$ctl" explain policy.ini "$@"
}

to_db=(--outbound a.db.internal:5432 --address 10.0.0.1 --service billing)
peer "peer let in" 0 "^=> the peer is let in: .* for a.db.internal, allow has it as dns:\*.db.internal$" \
    "${to_db[@]}" --peer ca/db.pem
peer "who the peer is" 0 "^  names +DNS:a.db.internal" "${to_db[@]}" --peer ca/db.pem
peer "a peer in DER" 0 "is let in" "${to_db[@]}" --peer db.der
peer "a peer of another CA" 1 "^=> the peer is refused: unknown_ca: the peer.s certificate: its issuer is another CA than the one that is called CN=.* in trust, too" \
    "${to_db[@]}" --peer foreign/db.pem
peer "a peer of another name" 1 "refused: name_mismatch: .*b.org.* not for a.db.internal" \
    "${to_db[@]}" --peer ca/other.pem
peer "a peer of another address" 1 "refused: name_mismatch: .* not for 10.0.0.1" \
    --outbound 10.0.0.1:5432 --service billing --peer ca/db.pem
peer "a peer for another use" 1 "refused: wrong_usage: .*server authentication" \
    "${to_db[@]}" --peer ca/asker.pem
peer "any peer of the CA" 0 "is let in: trust vouches for it$" --inbound 10.0.0.1:8080 \
    --from 192.0.2.7 --peer ca/asker.pem
peer "nobody is asked" 0 "no peer is asked" --outbound 1.1.1.1:1 --peer ca/db.pem
peer "no such certificate" 2 "nowhere.pem: No such file" "${to_db[@]}" --peer nowhere.pem
peer "no certificate in there" 2 "policy.ini: holds no certificate" "${to_db[@]}" --peer policy.ini
sed '28,$d' policy.ini >kept.ini
mv policy.ini whole.ini
pin=$(openssl x509 -in ca/db.pem -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum)
{ cat kept.ini; printf '[inbound pins]\nlocal = *:1\nmode = mtls\nidentity = web\nallow = %s\n' \
    "cn:x, spki:${pin%% *}, o:x"; printf 'deny = ou:op?\n'; } >policy.ini
peer "deny wins" 1 "refused: denied_by_deny: deny = ou:op" --inbound 10.0.0.1:1 --peer ca/db.pem
sed -i '/^deny/d' policy.ini
peer "a pinned key" 0 "allow has it as spki:${pin%% *}" --inbound 10.0.0.1:1 --peer ca/db.pem
peer "not in allow" 1 "refused: denied_by_allow" --inbound 10.0.0.1:1 --peer ca/other.pem
issuer=$(openssl x509 -in ca.pem -noout -subject -nameopt RFC2253 | sed 's/subject=//' | tr , '?')
sed -i "s/^allow = cn.*/allow = issuer:$issuer/" policy.ini
peer "by its CA" 0 "allow has it as issuer:" --inbound 10.0.0.1:1 --peer ca/db.pem
cp whole.ini policy.ini
sed -i '/^trust/a crl = ca/ca.crl' policy.ini
"$ctl" ca revoke other >/dev/null
"$ctl" ca crl >/dev/null
peer "a peer that was not revoked" 0 "is let in: trust vouches for it, crl has it not" "${to_db[@]}" --peer ca/db.pem
peer "a peer that was revoked" 1 "refused: revoked: .* has revoked the certificate" "${to_db[@]}" --peer ca/other.pem
"$ctl" ca crl --dir foreign >/dev/null
sed -i 's|^crl.*|crl = foreign/ca.crl|' policy.ini
peer "a list of another CA" 78 "^policy.ini:10: .*foreign/ca.crl: a list " "${to_db[@]}" --peer ca/db.pem
mv ca.pem gone.pem
cp root.pem ca.pem
cp whole.ini policy.ini
peer "an intermediate CA is missing" 1 "unknown_ca: the peer.s certificate was issued by CN=sub, of which no valid .* in trust .*ca.pem: add" "${to_db[@]}" --peer leaf.pem
peer "an intermediate CA is shown" 0 "is let in" "${to_db[@]}" --peer leaf-chain.pem
rm ca.pem
peer "trust that is gone" 78 "^policy.ini:9: .*ca.pem: No such file" "${to_db[@]}" --peer ca/db.pem
mv gone.pem ca.pem
mv whole.ini policy.ini

explain_usage() { # NAME PATTERN ARGUMENT...
    local name=$1 pattern=$2
    shift 2
    check "$name" says 2 "$pattern" "$ctl" explain "$@"
}

explain_usage "no policy" "POLICY: is missing" --outbound a:1
explain_usage "two policies" "only one" policy.ini policy.ini --outbound a:1
explain_usage "no direction" "want one of them" policy.ini
explain_usage "both directions" "want one of them" policy.ini --outbound a:1 --inbound 1.1.1.1:1
explain_usage "no port" "want HOST:PORT" policy.ini --outbound a
explain_usage "bad port" "want HOST:PORT" policy.ini --outbound a:65536
explain_usage "no brackets" "want HOST:PORT" policy.ini --outbound ::1:80
explain_usage "bad address" "want HOST:PORT" policy.ini --outbound 1.2.3:80
explain_usage "inbound at a name" "not a name" policy.ini --inbound a:1
explain_usage "from a name" "want ADDRESS" policy.ini --inbound 1.1.1.1:1 --from a
explain_usage "address of an address" "goes with --outbound" policy.ini --inbound 1.1.1.1:1 --address 1.1.1.1
explain_usage "address with a port" "want an address" policy.ini --outbound a:1 --address 1.1.1.1:1
explain_usage "a value that is missing" "needs a value" policy.ini --outbound
explain_usage "an unknown option" "unknown option" policy.ini --frob
changed '2s/log/logg/'
check "a bad policy" says 78 "^changed.ini:2: .*logg" "$ctl" explain changed.ini --outbound a:1
check "help of explain" says 0 "--outbound HOST:PORT" "$ctl" explain --help

finish
