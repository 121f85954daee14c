# The entry points of pg_fusion; the work is done in scripts/. `make help` lists them.
#
# Variables: PG_CONFIG=... another PostgreSQL (15 to 18) than the embedded 18; PG_MAJOR=15..18 another embedded one;
# CARGO_TARGET_DIR=... (default ~/.cache/pg_fusion/target).

SHELL := /bin/bash
CARGO_TARGET_DIR ?= $(HOME)/.cache/pg_fusion/target
export CARGO_TARGET_DIR PG_CONFIG PG_MAJOR SF KEEP QUERIES RUNS TESTS PARTS PRELOAD FILES RANDOM_QUERIES SEED REWRITE LOCALE ENGINES INGEST DURATION SUITES LONG_SECONDS QUERIES_TOTAL CLIENTS

.PHONY: all build install installcheck demo test regress diff stress chaos soak lint bench bench-ingest microbench start stop psql clean help
.DEFAULT_GOAL := build

all: build

build: ## build the engine and the extension
	@scripts/build.sh

install: ## build, and copy library, engine, control and SQL files into the PostgreSQL of PG_CONFIG
	@scripts/build.sh
	@scripts/install.sh

installcheck: ## pg_regress against a running server (PG_CONFIG, PGHOST, PGPORT; default: the one of make start)
	@scripts/installcheck.sh

demo: ## all of TPC-H natively and in the engine on a private PostgreSQL [SF=0.1] [QUERIES="1 3 6"] [LOCALE=en_US.UTF-8] [PG_MAJOR=15] [KEEP=1]
	@scripts/demo.sh

test: ## all tests, on PostgreSQL 18 and on the distribution's 15 [PARTS="rust 18 15"]
	@scripts/test.sh

regress: ## the SQL tests on one PostgreSQL [PG_MAJOR=18] [TESTS="setup types"] [SUITES="isolation stress"]
	@scripts/regress.sh

diff: ## the differential suite on one PostgreSQL, in C and en_US.UTF-8 [FILES="joins cte"] [RANDOM_QUERIES=5000 SEED=7] [REWRITE=1]
	@SUITES=diff scripts/regress.sh

stress: ## readers that compare beside writers, on one PostgreSQL, so many seconds [DURATION=600] [SEED=7] [PG_MAJOR=15]
	@SUITES=stress LONG_SECONDS=$${DURATION:-600} scripts/regress.sh

chaos: ## checked queries while the engine is killed and backends are struck down, on one PostgreSQL, so many seconds [DURATION=600] [SEED=7] [PG_MAJOR=15]
	@SUITES=chaos LONG_SECONDS=$${DURATION:-600} scripts/regress.sh

soak: ## so many checked queries against an engine that is short of memory, which must stay within its limit and leak nothing, on one PostgreSQL [QUERIES_TOTAL=100000] [CLIENTS=24] [SEED=7] [PG_MAJOR=15]
	@SUITES=soak LONG_SECONDS=$${DURATION:-0} scripts/regress.sh

lint: ## formatting, clippy, dependency and shell checks
	@scripts/lint.sh

bench: ## TPC-H in PostgreSQL, fusion cold and warm, DataFusion in memory and DuckDB, to bench/results/ [SF=1] [ENGINES="native warm"] [QUERIES="1 3 6"] [RUNS=3] [INGEST=1] [KEEP=1]
	@scripts/bench.sh

bench-ingest: ## TPC-H natively and in fusion while lineitem is updated, to bench/results/ [SF=1] [DURATION=120] [QUERIES="1 3 6"] [KEEP=1]
	@INGEST=1 scripts/bench.sh

microbench: ## the micro-benchmarks beside the code
	@scripts/setup.sh build
	@cargo bench --locked -p fusion_heapscan

start: ## build, install, start a private cluster (database dev), write .dev/env [PRELOAD=no]
	@scripts/dev.sh start

stop: ## stop the private clusters of this checkout
	@scripts/dev.sh stop

psql: ## psql on the private cluster
	@scripts/dev.sh psql

clean: ## stop and remove the private clusters and PostgreSQL trees of this checkout (not the cargo target directory)
	@scripts/dev.sh clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
