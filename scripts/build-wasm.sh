#!/usr/bin/env bash
# Builds the client library as WASM, with its JavaScript side, into link/sdks/typescript/pkg. Does nothing when what
# is there was made of the very same sources. Needs `pnpm install` in link/sdks/typescript, for wasm-opt.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly package=link/sdks/typescript
readonly out=$package/pkg
readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/kalamdb
readonly target_dir=${KALAM_WASM_TARGET_DIR:-$cache/target-wasm}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}

# Everything that the WASM is made of. The names count too: a file that is gone is a change.
stamp() {
  {
    find link/src backend/crates/kalamdb-commons/src -name '*.rs' ! -name tests.rs ! -path '*/tests/*' -print0
    printf '%s\0' Cargo.toml Cargo.lock link/Cargo.toml backend/crates/kalamdb-commons/Cargo.toml \
      xtask/src/bindings.rs scripts/build-wasm.sh scripts/wasm-toolchain.sh
  } | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
}

fresh=$(stamp)
if [ -e "$out/kalam_link_bg.wasm" ] && [ "$(cat "$out/.stamp" 2>/dev/null)" = "$fresh" ]; then
  exit 0
fi

toolchain=$(scripts/wasm-toolchain.sh)
(
  eval "$toolchain"
  CARGO_TARGET_DIR=$target_dir cargo build --package kalam-link --lib --profile wasm --target wasm32-unknown-unknown
)

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
cargo run --quiet --package xtask -- wasm-bindgen "$target_dir/wasm32-unknown-unknown/wasm/kalam_link.wasm" "$made"
"$package/node_modules/.bin/wasm-opt" -Oz --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
  --enable-mutable-globals --enable-reference-types --enable-multivalue \
  "$made/kalam_link_bg.wasm" -o "$made/kalam_link_bg.wasm"

rm -rf "$out"
mkdir -p "$out"
cp "$made"/kalam_link.js "$made"/kalam_link.d.ts "$made"/kalam_link_bg.wasm "$out"
echo "$fresh" >"$out/.stamp"
