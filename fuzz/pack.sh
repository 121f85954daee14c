#!/bin/sh
# Keeps what runs have found: pack.sh TARGET writes corpus/TARGET.tar.xz, the fewest inputs that reach as much, for run.sh to start from.
# FUZZ_CORPUS and CARGO_TARGET_DIR as for run.sh, which must have been run.
set -eu
cd "$(dirname "$0")"
name=${1:?usage: pack.sh TARGET}
target=$(rustc -vV | sed -n 's/^host: //p')
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
"${CARGO_TARGET_DIR:-target}/$target/release/$name" -merge=1 -max_len=12000 "$kept" "${FUZZ_CORPUS:-target/corpus}/$name" "corpus/$name"
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cJf "corpus/$name.tar.xz" -C "$kept" .
printf '%s: %s inputs, %s bytes packed\n' "$name" "$(find "$kept" -type f | wc -l)" "$(wc -c <"corpus/$name.tar.xz")"
