#!/usr/bin/env python3
"""TPC-H in DuckDB, for `fusion_bench bench`: answers queries one at a time, by number, as bench/memory does.

    duckdb_server.py --scale 1 --threads 2 --queries bench/queries/tpch --generator .../fusion_bench
      -> ready DuckDB 1.5.5, 2 threads       when the tables are there
      <- 6                                   a line on standard input
      -> ok ROWS MICROSECONDS                or: error TEXT

The rows come from `fusion_bench rows`, the same generator that PostgreSQL is loaded from; the tables are DuckDB's own, in a
database file that is removed at the end. The time runs from the query's text to having all rows as Python values.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

import duckdb


def main():
    parser = argparse.ArgumentParser(description="TPC-H in DuckDB")
    parser.add_argument("--scale", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--queries", type=pathlib.Path, required=True)
    parser.add_argument("--generator", required=True)
    options = parser.parse_args()
    # Not in /tmp, which may be memory.
    with tempfile.TemporaryDirectory(prefix="pg_fusion-duckdb-", dir="/var/tmp") as directory:
        directory = pathlib.Path(directory)
        connection = duckdb.connect(str(directory / "tpch.duckdb"), config={"threads": options.threads})
        load(connection, directory, options)
        say(f"ready DuckDB {duckdb.__version__}, {options.threads} threads")
        for line in sys.stdin:
            try:
                rows, micros = answer(connection, options.queries, line)
                say(f"ok {rows} {micros}")
            except Exception as error:  # a query that fails is an answer
                say("error " + " ".join(str(error).split()))
        connection.close()


def load(connection, directory, options):
    """Makes and fills the tables, with the types that PostgreSQL's have, and without keys, which DuckDB would not use."""
    tables = subprocess.run([options.generator, "tables"], check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in tables.splitlines():
        name, columns = line.split("\t")
        print(f"    DuckDB: {name}", file=sys.stderr, flush=True)
        file = directory / f"{name}.tbl"
        with open(file, "wb") as output:
            command = [options.generator, "rows", "--table", name, "--scale", options.scale]
            subprocess.run(command, check=True, stdout=output)
        connection.execute(f"CREATE TABLE {name} ({columns})")
        connection.execute(f"COPY {name} FROM '{file}' (FORMAT csv, DELIMITER '|', QUOTE '', ESCAPE '', HEADER false)")
        file.unlink()
    connection.execute("CHECKPOINT")
    connection.execute("ANALYZE")


def answer(connection, queries, line):
    sql = (queries / f"q{int(line):02}.sql").read_text()
    start = time.perf_counter_ns()
    rows = connection.execute(sql).fetchall()
    return len(rows), (time.perf_counter_ns() - start) // 1000


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
