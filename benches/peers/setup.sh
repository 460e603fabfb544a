#!/usr/bin/env bash
# Makes the locked Python environment of the benchmarks, or brings it up to date with requirements.lock.
set -euo pipefail

if [[ "${1:-}" == "--help" || "${1:-}" == "-h" ]]; then
    cat <<'HELP'
Usage: benches/peers/setup.sh

Installs requirements.lock (versions and hashes) into ${MURRE_BENCH_VENV:-$HOME/.cache/murre/venv-bench}.
Does nothing when that environment was made from the same lock file. PYTHON names another Python 3.11 or newer.
HELP
    exit 0
fi

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
venv="${MURRE_BENCH_VENV:-$HOME/.cache/murre/venv-bench}"

if cmp --silent "$here/requirements.lock" "$venv/requirements.lock"; then
    echo "benches: $venv is up to date"
    exit 0
fi

"${PYTHON:-python3}" -c 'import sys; sys.exit("setup.sh: Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
"${PYTHON:-python3}" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet --only-binary :all: --require-hashes --requirement "$here/requirements.lock"
cp "$here/requirements.lock" "$venv/requirements.lock"
echo "benches: made $venv"
