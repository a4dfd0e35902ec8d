#!/bin/sh
# Make what the nodes of one cluster share and what each of them shows the others: deploy/keys.sh FOLDER NODE...
#
#   master.key                     the key that all secrets are sealed with, the same on every node
#   link-ca.crt, link-ca.key       the authority of the link between nodes; the key may lie elsewhere afterwards
#   link-NODE.crt, link-NODE.key   a node's certificate, for its name (SWITCHLOG_NODE) alone
#
# What is there already stays as it is. Needs openssl.
set -eu
umask 077
if [ $# -lt 2 ]; then
    echo "use: $0 FOLDER NODE..." >&2
    exit 2
fi
folder=$1
shift
mkdir -p "$folder"
cd "$folder"

# Whole or not at all: a key without its certificate would be taken for made.
draft=$(mktemp -d ./draft.XXXXXX)
trap 'rm -rf "$draft"' EXIT

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1"; }

if [ ! -e master.key ]; then
    head -c 32 /dev/urandom >"$draft/master.key"
    mv "$draft/master.key" master.key
fi

if [ ! -e link-ca.crt ]; then
    key "$draft/ca.key"
    openssl req -x509 -new -key "$draft/ca.key" -sha256 -days 3650 -subj "/CN=Switchlog link" -out "$draft/ca.crt" \
        -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign
    chmod 644 "$draft/ca.crt"
    mv "$draft/ca.key" link-ca.key
    mv "$draft/ca.crt" link-ca.crt
fi

for node in "$@"; do
    [ ! -e "link-$node.crt" ] || continue
    case $node in *[!A-Za-z0-9.-]* | "") echo "$0: $node is not a host name" >&2; exit 2 ;; esac
    key "$draft/node.key"
    cat >"$draft/extensions" <<EOF
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
subjectAltName=DNS:$node
EOF
    openssl req -new -key "$draft/node.key" -subj "/CN=$node" -out "$draft/node.csr"
    openssl x509 -req -in "$draft/node.csr" -CA link-ca.crt -CAkey link-ca.key -CAserial "$draft/serial" -CAcreateserial \
        -sha256 -days 825 -extfile "$draft/extensions" -out "$draft/node.crt" 2>"$draft/said" || { cat "$draft/said" >&2; exit 1; }
    chmod 644 "$draft/node.crt"
    mv "$draft/node.key" "link-$node.key"
    mv "$draft/node.crt" "link-$node.crt"
done
