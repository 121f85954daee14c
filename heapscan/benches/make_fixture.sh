#!/bin/sh
# Makes benches/lineitem.pages, 64 real pages of TPC-H's lineitem after VACUUM: make_fixture.sh PGROOT LINEITEM.tbl
#   cargo run --release -p fusion_heapscan --example lineitem -- 0.001 >lineitem.tbl
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tests/golden/server.sh"
[ $# -eq 2 ] || { echo "usage: make_fixture.sh PGROOT LINEITEM.tbl" >&2; exit 2; }
start_server "$1"
sql -c "CREATE TABLE lineitem (
    l_orderkey bigint NOT NULL, l_partkey bigint NOT NULL, l_suppkey bigint NOT NULL, l_linenumber int NOT NULL,
    l_quantity numeric(15,2) NOT NULL, l_extendedprice numeric(15,2) NOT NULL,
    l_discount numeric(15,2) NOT NULL, l_tax numeric(15,2) NOT NULL,
    l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL,
    l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL,
    l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL)"
sql -c "COPY lineitem FROM STDIN (DELIMITER '|')" <"$2"
sql -c "VACUUM (FREEZE, ANALYZE) lineitem"
relation_bytes lineitem | head -c $((64 * 8192)) >"$here/lineitem.pages"
# Sums over the same pages, for the benchmark to check what it decodes.
sql -At -F ' ' -c "SELECT count(*), sum(l_quantity), sum(l_extendedprice), sum(l_discount), sum(l_tax),
    sum(l_shipdate - date '1970-01-01'), string_agg(DISTINCT l_returnflag, '' ORDER BY l_returnflag)
    FROM lineitem WHERE ctid < '(64,0)'::tid" >"$here/lineitem.sums"
cat "$here/lineitem.sums"
