#!/usr/bin/env bash
# Runs every test of the TypeScript client: types, package, size, and vitest in Node and in Chromium against the server
# that the Rust tests have built.
set -euo pipefail
cd "$(dirname "$0")/../link/sdks/typescript"

pnpm install --frozen-lockfile --silent
pnpm test
