#!/bin/sh
# Makes the golden pages: make.sh PGROOT…, each a PostgreSQL tree (bin/, lib/) of another major version.
# Per major version, beside this script:
#   pgNN.pages       main fork of table golden
#   pgNN.attributes  its pg_attribute rows: attnum, name, type, typmod, collation, length, alignment, storage, dropped
#   pgNN.expected    the visible rows in COPY's text format: ctid, then the columns as `expected` below prints them
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/server.sh"
[ $# -gt 0 ] || { echo "usage: make.sh PGROOT..." >&2; exit 2; }

make_golden() {
    start_server "$1"
    major=$(sql -At -c "SELECT current_setting('server_version_num')::int / 10000")
    sql <"$here/golden.sql"
    relation_bytes golden >"$here/pg$major.pages"
    sql -c "COPY (
        SELECT attnum, attname, atttypid, atttypmod, attcollation, attlen, attalign, attstorage, attisdropped
        FROM pg_attribute WHERE attrelid = 'golden'::regclass AND attnum > 0 ORDER BY attnum
    ) TO STDOUT" >"$here/pg$major.attributes"
    sql -c "COPY (
        SELECT ctid, id, b, i2, i8,
            encode(float4send(f4), 'hex') AS f4, encode(float8send(f8), 'hex') AS f8,
            n15_2, n38_9, n5_0, n_any, t, vc, bc1, bc10,
            encode(date_send(d), 'hex') AS d, encode(timestamp_send(ts), 'hex') AS ts,
            encode(timestamptz_send(tz), 'hex') AS tz,
            encode(uuid_send(u), 'hex') AS u, encode(by, 'hex') AS by, encode(charsend(c), 'hex') AS c,
            gl, lz, added_t, added_n, added_i, added_null, length(ext) AS ext
        FROM golden ORDER BY ctid
    ) TO STDOUT (HEADER)" >"$here/pg$major.expected" ||
    { echo "make.sh: expected values failed" >&2; exit 1; }
    stop_server
    trap - EXIT INT TERM
    echo "pg$major: $(($(wc -c <"$here/pg$major.pages") / 8192)) pages, $(wc -l <"$here/pg$major.expected") lines"
}

for root in "$@"; do
    make_golden "$root"
done
