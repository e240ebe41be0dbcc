# The commands a person types. Each one only fronts plain cargo; the scripts are in deploy/prerequisites.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

prerequisites := deploy/prerequisites
BUILD_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vaultara

# clang builds RocksDB in less than half of gcc's time.
ifeq ($(origin CC),default)
CC := clang
endif
ifeq ($(origin CXX),default)
CXX := clang++
endif
CARGO_TARGET_DIR ?= $(CURDIR)/target
export CC CXX CARGO_TARGET_DIR
export PATH := $(BUILD_CACHE)/node/bin:$(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin

# Node's own binary trusts only what it brings; Debian's trusts the system's store, so both shall.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
NODE_EXTRA_CA_CERTS ?= /etc/ssl/certs/ca-certificates.crt
export NODE_EXTRA_CA_CERTS
endif

# A ROCKSDB_LIB_DIR that is already set is honoured; otherwise the library is built once into the cache.
ROCKSDB_LIB_DIR ?= $(shell $(prerequisites)/rocksdb.sh --where "$(BUILD_CACHE)")
ROCKSDB_STATIC ?= 1
export ROCKSDB_LIB_DIR ROCKSDB_STATIC

release := $(CARGO_TARGET_DIR)/release/vaultara

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: build ## start one node in development mode in the foreground (ARGS= is passed on)
	@exec "$(release)" server --dev $(ARGS)

.PHONY: cluster
cluster: build ## start three nodes and a load balancer on loopback (data in ./data-cluster)
	@$(prerequisites)/system.sh cluster
	@exec $(prerequisites)/cluster.sh "$(release)" data-cluster

.PHONY: build
build: prerequisites ## build the release binary
	@cargo build --release --locked --package vaultara-node --bin vaultara

.PHONY: test
test: prerequisites test-prerequisites ## everything continuous integration runs
	@$(prerequisites)/suites.sh

.PHONY: e2e
e2e: prerequisites test-prerequisites ## sign in through a real browser and real client libraries
	@VAULTARA_PYTHON="$(BUILD_CACHE)/python/bin/python" exec node/tests/browser/run.sh

.PHONY: check
check: prerequisites ## format and lints; changes nothing
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: fix
fix: prerequisites ## format and apply what the lints can mend
	@cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
	@cargo fmt --all

.PHONY: soak
soak: prerequisites ## long fault runs, as root (ARGS= names parts; --skip-ok: what is possible)
	@$(prerequisites)/system.sh soak
	@cargo build --locked --package vaultara-node --bin vaultara
	@cargo run --locked --package vaultara-cluster-tests --bin soak -- $(ARGS)

.PHONY: bench
bench: prerequisites ## measure throughput and its limits on this machine
	@cargo build --release --locked --package vaultara-node --bin vaultara --example bare_hello
	@cargo build --release --locked --package vaultara-raft --example bare_raft
	@cargo run --release --locked --package vaultara-cluster-tests --bin bench -- $(ARGS)

.PHONY: interop
interop: ## other products' clients against this server
	@echo "interop: skipped, there are no interop tests yet; client libraries run in 'make e2e'"

.PHONY: fresh
fresh: ## 'make run' and 'make test' of HEAD in a clean Debian folder (needs root)
	@$(prerequisites)/fresh.sh

.PHONY: prerequisites
prerequisites: # what a build needs: system packages, Rust, RocksDB's library
	@$(prerequisites)/system.sh build
	@$(prerequisites)/rust.sh
	@$(prerequisites)/rocksdb.sh "$(BUILD_CACHE)"

.PHONY: test-prerequisites
test-prerequisites: # what the tests need on top
	@$(prerequisites)/system.sh test
	@$(prerequisites)/node.sh "$(BUILD_CACHE)"
	@$(prerequisites)/python.sh "$(BUILD_CACHE)"
