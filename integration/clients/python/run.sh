#!/usr/bin/env bash
# The Python clients against the real binary, in the locked environment of the benchmarks.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)"
"$root/benches/peers/setup.sh"
cd "$root"
PYTHONPATH="$root/benches" exec "${MURRE_BENCH_VENV:-$HOME/.cache/murre/venv-bench}/bin/python" -m unittest discover --start-directory integration/clients/python --verbose
