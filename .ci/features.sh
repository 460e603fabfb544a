#!/usr/bin/env bash
# Prints dependencies that a single member would build with other features than the whole workspace.
# What it prints belongs into workspace-features/Cargo.toml; nothing printed and exit 0 is right.
set -euo pipefail
cd "$(dirname "$0")/.."
tree() { cargo tree --locked "$@" --prefix none --format '{p} {f}' | sed 's/ (\*)$//' | grep -v ' (/' | sort -u; }
all=$(mktemp)
trap 'rm -f "$all"' EXIT
tree --workspace > "$all"
status=0
for member in flight-server coordinator worker-wasm catalog murre-lambda benches integration; do
  differing=$(tree -p "$member" | comm -13 "$all" -)
  if [ -n "$differing" ]; then
    printf '%s builds differently on its own:\n%s\n' "$member" "$differing"
    status=1
  fi
done
exit $status
