#!/usr/bin/env bash
# The JDBC driver against the real binary, once for each version in JDBC_DRIVERS. Needs a JDK 17 or newer and Maven.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
target="${CARGO_TARGET_DIR:-$HOME/.cache/murre-ci}"
export MURRE_BIN="${MURRE_BIN:-$target/debug/murre}"
for driver in ${JDBC_DRIVERS:-18.3.0}; do
    echo "jdbc: driver $driver"
    mvn --quiet --batch-mode --file "$here/pom.xml" -Ddriver.version="$driver" -Dbuild.folder="$target/jdbc-client/$driver" test "$@"
done
