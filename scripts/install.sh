#!/usr/bin/env bash
# Copies what build.sh built into the PostgreSQL of PG_CONFIG (or the embedded one): library and engine into pkglibdir,
# control file and SQL scripts into sharedir/extension.
# Invariant: each file is replaced by a rename, so that a running server keeps the old one until it is restarted.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$scripts/postgres.sh"
use_postgres

library=$CARGO_TARGET_DIR/pg$PG_MAJOR/release/libpg_fusion.so
[ "$(uname -s)" != Darwin ] || library=${library%.so}.dylib
engine=$CARGO_TARGET_DIR/release/pg_fusion_engine
library_dir=$("$PG_CONFIG" --pkglibdir)
extension_dir=$("$PG_CONFIG" --sharedir)/extension
suffix=.so
[ "$(uname -s)" != Darwin ] || [ "$PG_MAJOR" -lt 16 ] || suffix=.dylib

for file in "$library" "$engine" "$root/fdw/pg_fusion.control"; do
    [ -f "$file" ] || die "$file is not there; run make first"
done

run=
if ! { [ -w "$library_dir" ] && [ -w "$extension_dir" ]; }; then
    can_be_root || die "$library_dir and $extension_dir are not writable by $(id -un); \
run sudo -v and again, or sudo env CARGO_TARGET_DIR=$CARGO_TARGET_DIR PG_CONFIG=$PG_CONFIG $scripts/install.sh"
    run=as_root
fi

# put MODE FROM TO
put() {
    $run install -m "$1" "$2" "$3.new"
    $run mv -f "$3.new" "$3"
}
put 755 "$library" "$library_dir/pg_fusion$suffix"
put 755 "$engine" "$library_dir/pg_fusion_engine"
put 644 "$root/fdw/pg_fusion.control" "$extension_dir/pg_fusion.control"
for script in "$root"/fdw/sql/pg_fusion--*.sql; do
    put 644 "$script" "$extension_dir/$(basename "$script")"
done
say "installed pg_fusion for PostgreSQL $PG_MAJOR in $library_dir"
