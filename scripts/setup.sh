#!/usr/bin/env bash
# Installs what building KalamDB needs and this machine lacks. Safe to run again and again; says nothing when all is there.
set -euo pipefail

say() { printf 'setup: %s\n' "$*" >&2; }

has_libclang() {
  # Not any libclang*: libclang-cpp.so is another library.
  compgen -G '/usr/lib/llvm-*/lib/libclang.so*' >/dev/null ||
    compgen -G '/usr/lib/llvm-*/lib/libclang-[0-9]*.so*' >/dev/null ||
    compgen -G '/usr/lib/*/libclang.so*' >/dev/null ||
    compgen -G '/usr/lib/*/libclang-[0-9]*.so*' >/dev/null ||
    compgen -G '/usr/lib64/libclang.so*' >/dev/null ||
    compgen -G '/Library/Developer/CommandLineTools/usr/lib/libclang.dylib' >/dev/null ||
    [ -n "${LIBCLANG_PATH:-}" ]
}

missing=()
command -v c++ >/dev/null || missing+=(g++)
has_libclang || missing+=(libclang-dev)

if [ ${#missing[@]} -gt 0 ]; then
  run_as_root=()
  if [ "$(id -u)" != 0 ]; then run_as_root=(sudo -n); fi
  if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
    say "installing ${missing[*]}"
    "${run_as_root[@]}" apt-get update -qq </dev/null >&2
    DEBIAN_FRONTEND=noninteractive "${run_as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >&2
  elif command -v apt-get >/dev/null; then
    say "please type this once, then try again:"
    say "  sudo apt-get update && sudo apt-get install -y ${missing[*]}"
    exit 1
  else
    say "please install a C++ compiler and libclang (the library, with headers), then try again"
    exit 1
  fi
fi

if ! command -v cargo >/dev/null; then
  say "please install Rust 1.95 or later (rustup or your distribution), then try again"
  exit 1
fi

# The test runner. Without it the tests still run, through `cargo test`; see scripts/test-rust.sh.
if ! command -v cargo-nextest >/dev/null; then
  say "installing cargo-nextest (once)"
  cargo install cargo-nextest --locked --quiet </dev/null >&2 || say "cargo-nextest did not install; cargo test will do"
fi
