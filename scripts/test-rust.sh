#!/usr/bin/env bash
# Runs every Rust test: unit, end-to-end, house rules, and the examples in the documentation.
set -euo pipefail
cd "$(dirname "$0")/.."

if command -v cargo-nextest >/dev/null; then
  profile=default
  if [ "${CI:-}" = true ]; then profile=ci; fi
  cargo nextest run --workspace --profile "$profile"
else
  cargo test --workspace --lib --bins --tests
fi
cargo test --workspace --doc --quiet
