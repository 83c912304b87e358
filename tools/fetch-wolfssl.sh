#!/bin/sh
# Fetches wolfSSL's source.
#
#   fetch-wolfssl.sh DIR     leaves the tree in DIR (replaced whole, never half)
set -eu

"$(dirname "$0")/fetch-source.sh" wolfssl sid 5.9.2 \
    2f4ef3d4fd387a9b3191d36a6316d69116c46ff69bb9583b6c82b36d7b8ca114 \
    "${1:?usage: fetch-wolfssl.sh DIR}" || {
    echo "fetch-wolfssl: get wolfSSL 5.9.2 or newer some other way, unpack it and run:" >&2
    echo "fetch-wolfssl: make WOLFSSL_SRC=/path/to/wolfssl" >&2
    exit 1
}
