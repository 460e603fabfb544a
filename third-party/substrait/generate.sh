#!/usr/bin/env bash
# Generates src/ from the messages of the crate `substrait` of this version. Needs Python 3; protoc comes with one of its packages.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/Cargo.toml" | head -1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p generator/src out
cat > generator/Cargo.toml << TOML
[package]
name = "generator"
version = "0.0.0"
edition = "2024"

[dependencies]
prost-build = "0.14"

[build-dependencies]
substrait = { version = "=$version", optional = true }

[workspace]
TOML
"${PYTHON:-python3}" -m venv venv
venv/bin/python -m pip install --quiet grpcio-tools
touch generator/src/main.rs
(cd generator && cargo vendor --quiet > /dev/null)
source="$work/generator/vendor/substrait"
mapfile -t messages < <(cd "$source/substrait/proto" && find . -name '*.proto' -printf '%P\n' | sort)
venv/bin/python -m grpc_tools.protoc --proto_path="$source/substrait/proto" --include_imports --descriptor_set_out="$work/descriptors.bin" "${messages[@]}"
cat > generator/src/main.rs << 'RUST'
fn main() -> std::io::Result<()> {
    let [_, descriptors, out] = &std::env::args().collect::<Vec<_>>()[..] else { panic!("descriptors out") };
    let none: [&str; 0] = [];
    prost_build::Config::new()
        .skip_protoc_run()
        .file_descriptor_set_path(descriptors)
        .out_dir(out)
        .disable_comments(["."])
        .compile_well_known_types()
        .extern_path(".google.protobuf", "::pbjson_types")
        .compile_protos(&none, &none)
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run --quiet --manifest-path generator/Cargo.toml -- descriptors.bin out
cp out/substrait.rs out/substrait.extensions.rs "$here/src/"
cp "$source/gen/version.in" "$here/src/"
