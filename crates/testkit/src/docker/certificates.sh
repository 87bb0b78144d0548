#!/usr/bin/env bash
# Creates the files of Docker's documentation ("Protect the Docker daemon socket") in the folder $1: a CA, a server's
# certificate for 127.0.0.1 and a client's, in client/ under the names that DOCKER_CERT_PATH requires; and in stranger/
# those of a client of another CA.
set -euo pipefail
umask 077
mkdir -p "$1"/{client,stranger}
cd "$1"
{
  authority() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout "$1-key.pem" -out "$1.pem"
  }
  # issued AUTHORITY EXTENSION KEY CERTIFICATE
  issued() {
    openssl req -newkey rsa:2048 -nodes -subj /CN=test -keyout "$3" -out request.csr
    openssl x509 -req -in request.csr -CA "$1.pem" -CAkey "$1-key.pem" -CAcreateserial -days 2 -extfile <(echo "$2") -out "$4"
  }
  authority ca
  authority other
  issued ca subjectAltName=IP:127.0.0.1 server-key.pem server.pem
  issued ca extendedKeyUsage=clientAuth client/key.pem client/cert.pem
  issued other extendedKeyUsage=clientAuth stranger/key.pem stranger/cert.pem
  cp ca.pem client/ca.pem
  cp ca.pem stranger/ca.pem
} 2>log
