#!/bin/sh
# Fuzzes with AddressSanitizer on a stable toolchain, without cargo-fuzz: run.sh [libFuzzer options]
#   run.sh -max_total_time=60
# With cargo-fuzz at hand the same is: RUSTC_BOOTSTRAP=1 cargo fuzz run page
set -eu
cd "$(dirname "$0")"
target=$(rustc -vV | sed -n 's/^host: //p')
# An explicit --target keeps the sanitizer out of build scripts and macros.
RUSTC_BOOTSTRAP=1 RUSTFLAGS="--cfg fuzzing -Zsanitizer=address -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=16" \
    cargo build --release --target "$target"
mkdir -p artifacts/page "${FUZZ_CORPUS:=target/corpus}"
exec "${CARGO_TARGET_DIR:-target}/$target/release/page" -artifact_prefix=artifacts/page/ -max_len=12000 "$@" \
    "$FUZZ_CORPUS" corpus/page
