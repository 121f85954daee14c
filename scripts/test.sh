#!/usr/bin/env bash
# Every test: cargo's for the plain Rust crates, then regress.sh on PostgreSQL 18 (embedded) and on the distribution's 15.
#   PARTS="rust 18 15"  some of them only
# Invariants: one failing part does not hide the next; leaves nothing running; the last line is "N passed, N failed".
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
parts=${PARTS:-rust 18 15}

"$scripts/setup.sh" test
counts=$(mktemp)
log=$(mktemp)
trap 'rm -f "$counts" "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# part LABEL COMMAND...: a part that fails without having counted a failure counts as one.
part() {
    local label=$1 before after
    shift
    before=$(awk '{ n += $3 } END { print n + 0 }' "$counts")
    if ! "$@"; then
        after=$(awk '{ n += $3 } END { print n + 0 }' "$counts")
        [ "$after" != "$before" ] || printf '%s 0 1\n' "$label" >>"$counts"
    fi
}

# count_cargo LABEL: adds up the results in the log.
count_cargo() {
    awk -v label="$1" '/^test result:/ { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1) } }
         END { print label, p + 0, f + 0 }' "$log" >>"$counts"
}

rust_tests() {
    local rc=0
    note "cargo test"
    (cd "$root" && cargo test --release --locked --no-fail-fast) 2>&1 | tee "$log" || rc=$?
    count_cargo rust
    return $rc
}

# Unit tests of the extension, which need no server; in a subshell, as they choose a PostgreSQL.
extension_tests() (
    rc=0
    . "$scripts/postgres.sh"
    use_embedded 18
    note "cargo test, the extension"
    cd "$root"
    PGRX_PG_CONFIG_PATH=$PG_BUILD_CONFIG CARGO_TARGET_DIR=$CARGO_TARGET_DIR/pg18 cargo test --release --locked --no-fail-fast \
        -p pg_fusion --no-default-features --features pg18 2>&1 | tee "$log" || rc=$?
    count_cargo rust-extension
    exit $rc
)

# The distribution's 15 where we may install into it; without root, the embedded one.
postgres_15() {
    local config=/usr/lib/postgresql/15/bin/pg_config
    if [ -x "$config" ] && [ -e /usr/include/postgresql/15/server/postgres.h ] && { can_be_root || [ -w /usr/lib/postgresql/15/lib ]; }; then
        PG_CONFIG=$config "$scripts/regress.sh"
    else
        warn "the distribution's PostgreSQL 15 cannot be installed into; using the embedded one"
        PG_CONFIG='' PG_MAJOR=15 "$scripts/regress.sh"
    fi
}

export COUNTS=$counts BUILD=all
for this in $parts; do
    case $this in
        rust)
            part rust rust_tests
            part rust-extension extension_tests
            ;;
        18) part 18 env PG_CONFIG= PG_MAJOR=18 "$scripts/regress.sh" ;;
        15) part 15 postgres_15 ;;
        *) die "PARTS: rust, 18, 15" ;;
    esac
done

say
awk '{ printf "%-16s %5d passed, %d failed\n", $1, $2, $3 }' "$counts"
read -r passed failed < <(awk '{ p += $2; f += $3 } END { print p + 0, f + 0 }' "$counts")
say "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
