#!/usr/bin/env bash
# Fetches Debian's etcd-server into a folder, without installing it: nothing is started, and no user is made.
set -euo pipefail
folder=${MURRE_ETCD_DIR:-$HOME/.cache/murre/etcd}
mkdir -p "$folder"
cd "$folder"
apt-get download etcd-server
dpkg-deb -x etcd-server_*.deb .
usr/bin/etcd --version
