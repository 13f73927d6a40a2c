#!/bin/sh
# Makes, in a new folder, an authority (ca.pem), a certificate that it signed for 127.0.0.1 and
# for no name (server.pem, server.key), and another authority (other-ca.pem): what tests of TLS
# need. `make-certificates.sh FOLDER`
set -eu
mkdir "$1"
cd "$1"
umask 077

authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -keyout "$1.key" -out "$1.pem" -subj "/CN=$1 of tests" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"
}

authority ca
authority other-ca
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -keyout server.key -out server.csr -subj "/CN=a server of tests"
echo "subjectAltName=IP:127.0.0.1" >extensions
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
    -extfile extensions -out server.pem
