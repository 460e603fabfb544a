#!/usr/bin/env bash
# What tests with network namespaces need: ip and nft (Debian: iproute2, nftables). Installs what is missing.
set -euo pipefail
PATH="$PATH:/usr/sbin:/sbin"
missing=()
command -v ip > /dev/null || missing+=(iproute2)
command -v nft > /dev/null || missing+=(nftables)
command -v sysctl > /dev/null || missing+=(procps)
if ((${#missing[@]})); then
    apt-get update --quiet=2
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}"
fi
