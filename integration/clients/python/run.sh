#!/usr/bin/env bash
# The Python clients against the real binary, in a locked environment of their own (made on first use).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../../.." && pwd)"
python="$("$here/environment.sh")"
cd "$root"
PYTHONPATH="$root/benches" exec "$python" -m unittest discover --start-directory integration/clients/python --verbose "$@"
