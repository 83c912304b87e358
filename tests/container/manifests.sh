#!/bin/bash
# demo/container: the Dockerfile, the compose file and the manifests are as the published
# schemas want them, and the policies in them are good ones. They are not run: that needs
# Docker and a cluster. The programs and the folder are, by debian.py.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

demo=$ROOT/demo/container
export SCHEMAS=$BUILD/container/schemas
against_schemas() { node "$ROOT/tests/container/schemas/check.mjs" "$@"; }
cd "$demo"
check "all are as the schemas want them" against_schemas Dockerfile compose.yaml kubernetes/*.yaml

# broken FILE SED-EXPRESSION: a copy with a mistake in it.
mkdir "$TMP/broken"
broken() { sed "$2" "$1" >"$TMP/broken/$(basename "$1")"; }
broken Dockerfile 's/^COPY/COPPY/'
broken compose.yaml 's/cap_drop/cap-drop/'
broken kubernetes/cert-manager.yaml 's/issuerRef/issuer/'
broken kubernetes/deployment.yaml 's/readOnlyRootFilesystem/readOnlyRootFilesytem/'
broken kubernetes/deployment-spiffe.yaml 's/replicas: 2/replicas: two/'
cd "$TMP/broken"
against_schemas ./* >"$TMP/said" || true
for file in *; do
    check "a mistake in $file is found" grep -q "^./$file:" "$TMP/said"
done

# ---- the policies ------------------------------------------------------------------------

cd "$TMP"
"$BUILD/bin/mtlsctl" ca init >/dev/null
"$BUILD/bin/mtlsctl" ca issue own --dns orders >/dev/null
mkdir secrets
cp ca/ca.pem secrets/ca.crt
cp ca/own.pem secrets/tls.crt
cp ca/own.key secrets/tls.key
here() { sed "s|/run/secrets/mtls|$TMP/secrets|"; }
here <"$demo/policy.ini" >demo.ini
# The ConfigMap's: what stands indented under "policy.ini: |".
sed -n '/policy.ini: |/,/^---/p' "$demo/kubernetes/deployment.yaml" | sed '1d;$d;s/^    //' |
    here >kubernetes.ini
for policy in demo.ini kubernetes.ini; do
    check "$policy is a good policy" "$BUILD/bin/mtlsctl" check "$policy"
done
verdict() { "$BUILD/bin/mtlsctl" explain "$@" | sed -n 's/^=> //p'; }
same "orders serves by mutual TLS" yes \
    "$(verdict demo.ini --service orders --inbound 10.0.0.7:8080 | grep -q 'mode = mtls' && echo yes)"
same "... and in Kubernetes" yes \
    "$(verdict kubernetes.ini --service orders --inbound 10.0.0.7:8080 | grep -q 'mode = mtls' && echo yes)"
same "shop dials by mutual TLS" yes \
    "$(verdict demo.ini --service shop --outbound orders:8080 | grep -q 'mode = mtls' && echo yes)"
same "shop does not serve" yes \
    "$(verdict demo.ini --service shop --inbound 10.0.0.7:8080 | grep -q deny && echo yes)"

finish
