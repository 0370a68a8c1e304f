#!/usr/bin/env bash
# Installs what building KalamDB needs and this machine lacks. Safe to run again and again; says nothing when all is there.
# With the word `client` also what the tests of the TypeScript client need: pnpm and Chromium. The compiler for WASM is
# found or made when it is first used, by scripts/wasm-toolchain.sh.
set -euo pipefail

readonly part=${1:-}

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

has_chromium() {
  local name
  [ -z "${KALAM_CHROMIUM:-}" ] || return 0
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then return 0; fi
  done
  return 1
}

missing=()
command -v c++ >/dev/null || missing+=(g++)
has_libclang || missing+=(libclang-dev)
if [ "$part" = client ]; then has_chromium || missing+=(chromium); fi

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
    say "please install ${missing[*]} (names of Debian), then try again"
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

if [ "$part" = client ]; then
  if ! command -v node >/dev/null || [ "$(node --print 'Number(process.versions.node.split(".")[0]) >= 20')" != true ]; then
    say "please install Node 20 or later, then try again"
    exit 1
  fi
  if ! command -v pnpm >/dev/null; then
    say "installing pnpm (once)"
    npm install --global --silent pnpm@10 </dev/null >&2 || {
      say "please type this once, then try again: sudo npm install --global pnpm@10"
      exit 1
    }
  fi
fi
