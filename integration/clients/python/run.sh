#!/usr/bin/env bash
# The Python clients against the real binary, in a locked environment of their own (made on first use).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../../.." && pwd)"
venv="${MURRE_CLIENTS_VENV:-$HOME/.cache/murre/venv-clients}"
if ! cmp --silent "$here/requirements.lock" "$venv/requirements.lock"; then
    "${PYTHON:-python3}" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --only-binary :all: --require-hashes --requirement "$here/requirements.lock"
    cp "$here/requirements.lock" "$venv/requirements.lock"
fi
cd "$root"
PYTHONPATH="$root/benches" exec "$venv/bin/python" -m unittest discover --start-directory integration/clients/python --verbose "$@"
