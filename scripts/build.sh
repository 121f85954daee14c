#!/usr/bin/env bash
# Builds the engine and the libraries, and the extension for one PostgreSQL: build.sh [all|engine|extension]
# Invariants: one profile (release) and one set of features for everything, so that DataFusion is compiled once;
# the extension has a target directory per major, because its bindings depend on PGRX_PG_CONFIG_PATH.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$scripts/postgres.sh"

what=${1:-all}
cd "$root"
"$scripts/setup.sh" build

if [ "$what" != extension ]; then
    [ -x "$CARGO_TARGET_DIR/release/pg_fusion_engine" ] ||
        note "building the engine (the first time this takes about a quarter of an hour on two cores)"
    cargo build --release --locked
fi
if [ "$what" != engine ]; then
    use_postgres
    note "building the extension for PostgreSQL $PG_MAJOR"
    PGRX_PG_CONFIG_PATH=$PG_BUILD_CONFIG CARGO_TARGET_DIR=$CARGO_TARGET_DIR/pg$PG_MAJOR \
        cargo build --release --locked -p pg_fusion --no-default-features --features "pg$PG_MAJOR"
fi
