#!/bin/sh
# Fuzzes with AddressSanitizer on a stable toolchain, without cargo-fuzz: run.sh TARGET [libFuzzer options]
#   run.sh page -max_total_time=60
# Targets: page (heap pages, both ways out), message (the socket), plan (the IR), page_frame, tuple_frame.
# It starts from corpus/TARGET and from what pack.sh has kept of earlier runs (corpus/TARGET.tar.xz); what it finds goes to
# $FUZZ_CORPUS/TARGET (default: target/corpus).
# With cargo-fuzz at hand the same is: RUSTC_BOOTSTRAP=1 cargo fuzz run TARGET
set -eu
cd "$(dirname "$0")"
name=${1:?usage: run.sh TARGET [libFuzzer options]}
shift
features=
[ "$name" != page ] || features=page
target=$(rustc -vV | sed -n 's/^host: //p')
# An explicit --target keeps the sanitizer out of build scripts and macros.
RUSTC_BOOTSTRAP=1 RUSTFLAGS="--cfg fuzzing -Zsanitizer=address -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=16" \
    cargo build --release --target "$target" --bin "$name" --features "$features"
found=${FUZZ_CORPUS:-target/corpus}/$name
mkdir -p "artifacts/$name" "corpus/$name" "$found"
if [ -f "corpus/$name.tar.xz" ]; then
    tar -xJf "corpus/$name.tar.xz" -C "$found"
fi
exec "${CARGO_TARGET_DIR:-target}/$target/release/$name" -artifact_prefix="artifacts/$name/" -max_len=12000 "$@" \
    "$found" "corpus/$name"
