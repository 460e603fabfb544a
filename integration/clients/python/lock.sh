#!/usr/bin/env bash
# Writes requirements.lock from requirements.in: all versions, with the hashes of their files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
"${COMPILE:-pip-compile}" --quiet --strip-extras --generate-hashes --no-header --no-emit-options --no-emit-index-url \
    --no-emit-trusted-host --no-emit-find-links --output-file requirements.lock requirements.in
