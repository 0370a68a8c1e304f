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

# `make sim`: one seed that is printed as it runs (KALAMDB_SEED=7), or so many that nobody has run before.
SEEDS ?= 1000

.PHONY: help setup run test test-rust test-typescript sim wasm setup-client install-cli demo fmt lint bench fuzz docs

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

sim: setup ## Run the whole server through storms from new seeds (SEEDS=5000), or one again (KALAMDB_SEED=7)
	KALAMDB_SEEDS=$(SEEDS) KALAMDB_FIRST_SEED=$${KALAMDB_FIRST_SEED:-$$(date +%s)000} \
	  cargo test --workspace --test simulation -- --test-threads 4 $(if $(KALAMDB_SEED),--nocapture seeds_0_to_24)

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

# What to fuzz, and for how long; the targets are listed in docs/fuzzing.md.
TARGET ?= client_message
SECS ?= 60

fuzz: setup ## Fuzz one target for a while (TARGET=row SECS=300; installs cargo-fuzz once)
	command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked --quiet
	CARGO_TARGET_DIR="$(CARGO_TARGET_DIR)-fuzz" cargo fuzz run --sanitizer none \
	  $(if $(filter sql frames,$(TARGET)),--features planner) "$(TARGET)" -- -max_total_time=$(SECS)

docs: setup ## Build the API documentation of every crate
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items
