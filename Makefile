# Two commands do everything: `make demo` and `make test`. Both need Rust and Python 3 only;
# tests of MariaDB and RabbitMQ take servers of Debian's packages, or are skipped with a word on it.
.DEFAULT_GOAL := help
CARGO ?= cargo
PYTHON ?= python3
TARGET = $(or $(CARGO_TARGET_DIR),target)
export PYTHON
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
BUILT := $(TARGET)/debug
WITH_MARIADB := cloudstack-usage/store-sql/tests/with-mariadb.sh
WITH_RABBITMQ := cloudstack-usage/tests/with-rabbitmq.sh

.PHONY: help demo test test-rust test-python lint bench clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: ## a real month's bill from a recorded CloudStack, into out/
	$(CARGO) run --locked --package csbill -- demo --out out

test: test-rust test-python ## all tests

test-rust: ## unit, integration, property and documentation tests of all crates, with servers of their own
	$(WITH_MARIADB) $(WITH_RABBITMQ) $(CARGO) test --locked --workspace --exclude cloudstack-billing-py --features cloudstack-usage/amqp,cloudstack-usage/archive,cloudstack-usage/async,cloudstack-usage/blocking,cloudstack-usage/recording,cloudstack-usage/sql-tls,cloudstack-usage/test-util,cloudstack-usage-store/mariadb-tls,csbill/amqp

test-python: ## the Python package: build, stubs, types, tests; a CloudStack client that is not ours
	$(CARGO) build --locked --package csbill --package csbill-replay
	CSBILL="$(BUILT)/csbill" CSBILL_REPLAY="$(BUILT)/csbill-replay" $(WITH_MARIADB) py-bindings/run-tests.sh
	CSBILL_REPLAY="$(BUILT)/csbill-replay" "$(TARGET)/py-bindings-venv/bin/python" -m pytest -q -p no:cacheprovider examples/replay/tests

lint: ## formatting, clippy, purity of the engine, documentation
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings
	$(CARGO) clippy --locked --package cloudstack-usage-store --all-targets --features mariadb -- --deny warnings
	$(CARGO) clippy --locked --package cloudstack-usage-store --all-targets --features mariadb-tls -- --deny warnings
	$(CARGO) clippy --locked --package csbill --all-targets --features amqp -- --deny warnings
	for features in "" amqp archive recording blocking async sql sql-tls test-util; do \
		$(CARGO) clippy --locked --package cloudstack-usage --features "$$features" -- --deny warnings || exit 1; \
	done
	.ci/purity.sh
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --workspace --exclude cloudstack-billing-py --no-deps

bench: ## measure, and write the ratios to benches/RESULTS.md
	$(CARGO) build --locked --release --package billing-benches
	$(PYTHON) benches/run.py $(TARGET)/release/billing-benches $(TARGET)/bench $(RECORDS) $(ROUNDS)

clean: ## remove what was built
	$(CARGO) clean
	rm -rf out
