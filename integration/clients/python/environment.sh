#!/usr/bin/env bash
# Prints the interpreter of the clients' locked Python environment, which is made where it is missing or out of date.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
venv="${MURRE_CLIENTS_VENV:-$HOME/.cache/murre/venv-clients}"
if ! cmp --silent "$here/requirements.lock" "$venv/requirements.lock"; then
    "${PYTHON:-python3}" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --only-binary :all: --require-hashes --requirement "$here/requirements.lock"
    cp "$here/requirements.lock" "$venv/requirements.lock"
fi
echo "$venv/bin/python"
