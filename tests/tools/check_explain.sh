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
chmod 640 web.key
check "an open key" says 78 "^policy.ini:8: .*/web.key: .*0640.*chmod 600" "$ctl" check policy.ini
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
