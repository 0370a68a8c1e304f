#!/usr/bin/env bash
# Finds, or makes, a Rust compiler that can build for wasm32-unknown-unknown, and prints the environment to use it:
#
#   ( eval "$(scripts/wasm-toolchain.sh)"; cargo build --target wasm32-unknown-unknown … )
#
# Standard output holds `export` lines only; what happens is told on standard error. Keep it in a subshell with a
# target directory of its own: the compiler may be another one than that of native builds.
#
# KALAM_WASM_TOOLCHAIN=auto       what is there, else Debian's packages (where apt-get may be used), else rustup
#                      rustup     only rustup's own target
#                      debian     only Debian's packages
set -euo pipefail

readonly target=wasm32-unknown-unknown
readonly choice=${KALAM_WASM_TOOLCHAIN:-auto}
readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/kalamdb/wasm-toolchain

say() { printf 'wasm-toolchain: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

may_install() { command -v apt-get >/dev/null && as_root true 2>/dev/null; }

# Does the compiler that cargo would take hold the target's standard library already?
ready() {
  local libraries
  libraries=$(rustc --print target-libdir --target "$target" 2>/dev/null) || return 1
  compgen -G "$libraries/libstd-*.rlib" >/dev/null
}

use_plain() {
  say "$(rustc --version) knows $target"
  echo 'unset RUSTC RUSTDOC'
}

# A sysroot made earlier is good as long as the very compiler that made it is installed: it loads no other's libraries.
debian_packages() {
  local package missing=()
  for package in rustc-web rust-web-src "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  may_install || fail "please type: sudo apt-get install --no-install-recommends ${missing[*]}"
  say "installing ${missing[*]}"
  # rustc-web takes the place of Debian's own rustc. Whoever has that shall decide, hence --no-remove.
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-remove --no-install-recommends "${missing[@]}")
  as_root "${install[@]}" </dev/null >&2 || {
    as_root apt-get update -qq </dev/null >&2
    as_root "${install[@]}" </dev/null >&2
  }
}

use_debian() {
  debian_packages
  local rustc=/usr/bin/rustc about release llvm host identity
  about=$(env -u RUSTUP_TOOLCHAIN "$rustc" -vV)
  field() { sed -n "s/^$1: //p" <<<"$about"; }
  release=$(field release) host=$(field host) llvm=$(field 'LLVM version')
  llvm=${llvm%%.*}
  # The linker must read what this compiler's LLVM wrote.
  debian_packages "lld-$llvm"
  identity=$(printf '%s\n' "$about" "$(dpkg-query -W rustc-web rust-web-src)" | sha256sum | cut -c1-12)
  local sysroot=$cache/$release-$identity
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  [ -e "$sysroot/complete" ] || make_sysroot "$sysroot" "$release" "$host" "wasm-ld-$llvm"
  say "Debian's rustc $release, with $target in $sysroot"
  printf 'export RUSTC=%q RUSTDOC=%q CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=%q\n' \
    "$sysroot/bin/rustc" "$sysroot/bin/rustdoc" "wasm-ld-$llvm"
}

# Debian ships the standard library's source but not its build for this target. It is compiled once, by letting cargo
# build an empty crate on top of it, and what falls out is laid into a sysroot. From then on builds are plain cargo.
make_sysroot() {
  local sysroot=$1 release=$2 host=$3 linker=$4 work tool
  local source=/usr/lib/rustlib/src/rust
  [ "$(readlink -f "$source")" = "/usr/src/rustc-$release" ] || fail "rust-web-src is not of rustc $release: upgrade both"
  say "compiling the standard library for $target, once"
  work=$(mktemp -d "$cache/making.XXXXXX")
  # shellcheck disable=SC2064 # the name is wanted as it is now
  trap "rm -rf '$work'" EXIT
  mkdir -p "$work/seed/src" "$work/sysroot/bin" "$work/sysroot/lib/rustlib/$target/lib" "$work/sysroot/lib/rustlib/$host"
  ln -s "/usr/lib/rustlib/$host/lib" "$work/sysroot/lib/rustlib/$host/lib"
  for tool in rustc rustdoc; do
    printf '#!/bin/sh\nexec /usr/bin/%s --sysroot "%s" "$@"\n' "$tool" "$sysroot" >"$work/sysroot/bin/$tool"
    chmod +x "$work/sysroot/bin/$tool"
  done
  printf '[package]\nname = "seed"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n' >"$work/seed/Cargo.toml"
  echo '#![no_std]' >"$work/seed/src/lib.rs"
  (
    cd "$work/seed"
    unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTC_WRAPPER CARGO_BUILD_TARGET
    # Only this one build uses what is not stable. Bitcode, because our own build optimises across crates.
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$work/built \
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-Cembed-bitcode=yes --remap-path-prefix=/usr/src/rustc-$release=/rust" \
      cargo build --quiet --release --target "$target" -Z build-std=std,panic_abort,proc_macro >&2
  )
  find "$work/built/$target/release/deps" -name '*.rlib' ! -name 'libseed-*' \
    -exec cp -t "$work/sysroot/lib/rustlib/$target/lib" {} +
  rm -rf "$sysroot"
  mv "$work/sysroot" "$sysroot"
  prove "$sysroot/bin/rustc" "$linker" "$work"
  touch "$sysroot/complete"
}

# A library that allocates must compile and link.
prove() {
  local rustc=$1 linker=$2 work=$3
  echo '#[unsafe(no_mangle)] pub extern "C" fn sum(n: u32) -> u32 { (0..n).collect::<Vec<u32>>().iter().sum() }' >"$work/proof.rs"
  "$rustc" --edition 2024 -O -C lto -C "linker=$linker" --target "$target" --crate-type cdylib \
    -o "$work/proof.wasm" "$work/proof.rs" >&2
  [ "$(head -c 4 "$work/proof.wasm" | od -An -tx1 | tr -d ' \n')" = 0061736d ] || fail "the new compiler made no WASM"
}

use_rustup() {
  command -v rustup >/dev/null || return 1
  # A machine without a way to rustup's server shall not wait for it.
  RUSTUP_MAX_RETRIES=1 timeout 120 rustup target add "$target" >&2 && ready && use_plain
}

# What an earlier run printed must not answer for the compiler that is asked now.
unset RUSTC RUSTDOC
case $choice in
  auto)
    if ready; then use_plain; elif may_install; then use_debian; else
      use_rustup || fail "please add the target $target to your Rust, then try again"
    fi
    ;;
  rustup) if ready; then use_plain; else use_rustup || fail "rustup did not add $target"; fi ;;
  debian) use_debian ;;
  *) fail "KALAM_WASM_TOOLCHAIN is \"$choice\": use auto, rustup or debian" ;;
esac
