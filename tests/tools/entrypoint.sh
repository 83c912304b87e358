#!/bin/bash
# The entrypoint of containers: finds its folder however it is called, in every shell that
# images have; MTLS_SHIM=off does nothing; nothing of it stays. In real roots it is tested
# by `make check-container`.
set -euo pipefail
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"

cd "$TMP"
unset LD_PRELOAD MTLS_SHIM MTLS_SHIM_POLICY MTLS_SHIM_SERVICE MTLS_SHIM_LOG MTLS_SHIM_LOG_LEVEL

folder="$TMP/mtls-shim"
library=$folder/glibc/libmtls_shim.so
mkdir -p "$folder/glibc" links away
cp "$BUILD/bin/mtls-run" "$ROOT/tools/container/entrypoint" "$folder/"
cp "$BUILD/lib/libmtls_shim.so" "$library"
printf '[shim]\nlog = none\ndefault_inbound = plaintext\ndefault_outbound = plaintext\n' >policy.ini
export MTLS_SHIM_POLICY=$TMP/policy.ini
ln -s ../mtls-shim/entrypoint links/relative
ln -s "$folder/entrypoint" links/absolute
ln -s "$TMP/links/absolute" links/twice
ln -s "$folder" linked-folder
mkdir 'odd name' && cp -r "$folder" 'odd name/mtls-shim'

# ---- its folder --------------------------------------------------------------------------

# loaded NAME COMMAND...: the command, given "printenv LD_PRELOAD", shows the library.
loaded() {
    local name=$1
    shift
    same "$name" "$library" "$("$@" printenv LD_PRELOAD 2>&1 || true)"
}
loaded "by its path" "$folder/entrypoint"
loaded "by a relative path" mtls-shim/entrypoint
loaded "by PATH" env PATH="$folder:$PATH" entrypoint
cd "$folder"
loaded "from its own folder" ./entrypoint
cd "$TMP/away"
loaded "by a relative path with .." ../mtls-shim/entrypoint
cd "$TMP"
for link in relative absolute twice; do
    loaded "by a link: $link" "links/$link"
    loaded "by a link in PATH: $link" env PATH="$TMP/links:$PATH" "$link"
done
loaded "by a link to its folder" linked-folder/entrypoint
shells=()
for shell in dash bash 'bash --posix' 'busybox sh'; do
    if command -v "${shell%% *}" >/dev/null; then
        shells+=("$shell")
    else
        echo "# $shell is not there, not tested"
    fi
done
for shell in "${shells[@]}"; do
    read -ra words <<<"$shell"
    loaded "$shell PATH/TO/entrypoint" "${words[@]}" "$folder/entrypoint"
    loaded "$shell LINK" "${words[@]}" links/relative
    loaded "$shell entrypoint, from PATH" env PATH="$folder:$PATH" "${words[@]}" -c \
        'exec entrypoint "$@"' -
    cd "$folder"
    loaded "$shell entrypoint" "${words[@]}" entrypoint
    cd "$TMP"
done
cd away
loaded "bash entrypoint, which bash looks for in PATH" env PATH="$folder:$PATH" bash entrypoint
cd "$TMP"
status=0
'odd name/mtls-shim/entrypoint' true 2>err || status=$?
same "in a place that LD_PRELOAD cannot express nothing starts" 125 "$status"

# ---- what it does --------------------------------------------------------------------------

ours() { grep -vE '^(_|PWD|OLDPWD|SHLVL)=' | sort; } # but for what shells put there
for shell in "${shells[@]}"; do
    read -ra words <<<"$shell"
    run() { "${words[@]}" "$folder/entrypoint" "$@"; }
    # shellcheck disable=SC2016 # for the shell that is started
    "${words[@]}" "$folder/entrypoint" sh -c 'echo $$ >pid' &
    started=$!
    wait "$started"
    same "$shell: its process becomes the command's" "$started" "$(cat pid)"
    same "$shell: words stay as they are" '<a  b><><*><-x>' "$(run printf '<%s>' 'a  b' '' '*' -x)"
    status=0
    run sh -c 'exit 7' || status=$?
    same "$shell: the command's status" 7 "$status"
    same "$shell: MTLS_SHIM=off leaves the environment alone" \
        "$(env - A='b  c' MTLS_SHIM=off PATH="$PATH" env | ours)" \
        "$(env - A='b  c' MTLS_SHIM=off PATH="$PATH" "${words[@]}" "$folder/entrypoint" env | ours)"
    same "$shell: MTLS_SHIM=off needs nothing of ours" fine \
        "$(cd "$TMP/away" && cp "$folder/entrypoint" . && MTLS_SHIM=off "${words[@]}" ./entrypoint echo fine)"
    status=0
    (cd "$TMP/away" && "${words[@]}" ./entrypoint echo fine) >out 2>err || status=$?
    check "$shell: without mtls-run nothing starts" test "$status" -ge 126 -a ! -s out
done
same "the service comes by the environment" orders \
    "$(MTLS_SHIM_SERVICE=orders "$folder/entrypoint" printenv MTLS_SHIM_SERVICE)"
for case in "missing.ini 78" "policy.ini 0"; do
    status=0
    MTLS_SHIM_POLICY=${case% *} "$folder/entrypoint" true 2>err || status=$?
    same "MTLS_SHIM_POLICY=${case% *}" "${case#* }" "$status"
done
status=0
MTLS_SHIM=perhaps "$folder/entrypoint" true 2>err || status=$?
same "MTLS_SHIM=perhaps starts nothing" 78 "$status"
status=0
"$folder/entrypoint" no-such-program 2>err || status=$?
same "a program that is not there" 127 "$status"
status=0
"$folder/entrypoint" 2>err || status=$?
same "no command" 125 "$status"

finish
