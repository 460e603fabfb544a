#!/usr/bin/env bash
# Fetches Debian's iperf3 into a folder, without installing it.
set -euo pipefail
folder=${MURRE_IPERF_DIR:-$HOME/.cache/murre/iperf3}
mkdir -p "$folder"
cd "$folder"
apt-get download iperf3 libiperf0 libsctp1
for package in *.deb; do
    dpkg-deb -x "$package" .
done
LD_LIBRARY_PATH=$(dirname "$(find "$folder" -name 'libiperf.so.0' | head -1)") usr/bin/iperf3 --version | head -1
