# The developer's verbs. `make` lists them; each does the set-up it needs.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Build output lives outside the clone, so that a fresh clone does not build DataFusion and RocksDB again.
export CARGO_TARGET_DIR ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/kalamdb/target

# One set of packages for every release build: another set would give the libraries below other features, and
# build RocksDB and DataFusion a second time.
RELEASE := cargo build --release --package kalamdb-server --package kalamdb-bench

# Extra arguments for `make run`, `make demo` and `make bench`, e.g. make run ARGS="--listen 127.0.0.1:3000".
ARGS ?=

.PHONY: help setup run test test-rust test-typescript wasm setup-client install-cli demo fmt lint bench docs

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building needs and this machine lacks
	@scripts/setup.sh

setup-client: setup
	@scripts/setup.sh client

run: setup ## Build the server and run it on 127.0.0.1:2900 (more: ARGS="--config FILE")
	$(RELEASE)
	@echo 'A prompt, in another terminal: make install-cli, then kalam --user root (docs/CLI.md)'
	"$(CARGO_TARGET_DIR)/release/kalamdb-server" $(ARGS)

# Alone, not beside the server: what it needs would give the libraries below the server other features.
install-cli: ## Build the command line `kalam` and install it into cargo's bin folder
	cargo install --locked --path cli

test: test-rust test-typescript ## Run every test there is

test-rust: setup
	scripts/test-rust.sh

# `make test` runs it after the Rust tests, which build the server that it talks to.
test-typescript: setup-client
	scripts/test-typescript.sh

wasm: setup-client ## Build the TypeScript client, with its WASM
	cd link/sdks/typescript && pnpm install --frozen-lockfile --silent && pnpm run wasm && pnpm run build

demo: setup ## Replay New York's flights of a week and watch live queries follow
	$(RELEASE)
	"$(CARGO_TARGET_DIR)/release/kalamdb-demo" $(ARGS)

fmt: ## Format the code
	cargo fmt --all

lint: setup ## Check formatting, clippy's advice and the house rules
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo run --quiet --package xtask -- tidy

bench: setup ## Measure the server on this machine, beside references in the same run
	$(RELEASE)
	"$(CARGO_TARGET_DIR)/release/kalamdb-bench" $(ARGS)

docs: setup ## Build the API documentation of every crate
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items
