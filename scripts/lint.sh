#!/usr/bin/env bash
# Formatting, clippy, and checks of our own; stops at the first complaint.
# Invariant: changes nothing, and installs nothing but what a build needs.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$scripts/postgres.sh"
cd "$root"
"$scripts/setup.sh" build

note "shell scripts"
for script in scripts/*.sh .ci/run; do
    bash -n "$script"
done
! command -v shellcheck >/dev/null || shellcheck -x -S warning scripts/*.sh .ci/run
! command -v python3 >/dev/null || python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' bench/duckdb_server.py

note "every Rust file says what it is for"
rust_files() { find common proto heapscan engine fdw bench -name '*.rs' -not -path '*/target/*'; }
bare=$(rust_files | while read -r file; do
    # An attribute such as #![no_main] or a plain comment may stand above it.
    awk '/^(#!\[.*\]|\/\/([^!\/].*)?|[ \t]*)$/ { next } { exit !/^\/\/!/ }' "$file" || echo "$file"
done)
[ -z "$bare" ] || die "these files do not open with a //! comment:"$'\n'"$bare"

note "cargo fmt"
cargo fmt --all --check
cargo fmt --manifest-path bench/memory/Cargo.toml --check

# `make bench` compares with DataFusion itself, which must be the engine's.
note "bench/memory takes the same versions of crates"
locked() { awk '$1 == "name" { name = $3 } $1 == "version" { print name, $3 }' "$1" | grep -v fusion_ | sort; }
other=$(comm -13 <(locked Cargo.lock) <(locked bench/memory/Cargo.lock))
[ -z "$other" ] || die "bench/memory/Cargo.lock has:"$'\n'"$other"$'\n'"copy Cargo.lock over it, and run: cargo metadata --manifest-path bench/memory/Cargo.toml"

# `cargo test` must see the same features of shared crates as `cargo build`, or DataFusion is compiled twice.
note "dev-dependencies add no feature to a crate that the engine uses"
features() {
    cargo tree --locked -e "$1" --prefix none -f '{p} {f}' 2>/dev/null | sed 's/ (\*)$//' | sort -u
}
engine_tree=$(features normal,build)
changed=$(comm -13 <(printf '%s\n' "$engine_tree") <(features normal,build,dev) | while read -r name version rest; do
    ! printf '%s\n' "$engine_tree" | grep -q "^$name $version " || printf '  %s %s: with tests %s\n' "$name" "$version" "$rest"
done)
[ -z "$changed" ] || die "dev-dependencies turn on features of:"$'\n'"$changed"$'\n'"turn them off there, or on in the engine's dependencies"

note "cargo clippy"
cargo clippy --release --locked --all-targets -- -D warnings
use_embedded 18
PGRX_PG_CONFIG_PATH=$PG_BUILD_CONFIG CARGO_TARGET_DIR=$CARGO_TARGET_DIR/pg18 \
    cargo clippy --release --locked -p pg_fusion --no-default-features --features pg18 -- -D warnings

note "the extension links no engine library"
for crate in datafusion arrow tokio; do
    ! cargo tree --locked -e normal -p pg_fusion --prefix none 2>/dev/null | grep -qE "^$crate(-[a-z-]+)? v" ||
        die "pg_fusion depends on $crate"
done
! cargo tree --locked -e normal -p fusion_engine --prefix none 2>/dev/null | grep -qE '^pgrx' ||
    die "the engine depends on pgrx"

if cargo deny --version >/dev/null 2>&1; then
    note "cargo deny"
    cargo deny --log-level error check licenses bans sources
else
    say "cargo-deny is not installed; licences are not checked"
fi
say "lint: clean"
