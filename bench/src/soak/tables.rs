//! Tables and writes of the soak: those of the chaos run, those of the differential suite, and `events`, which together with what queries
//! make of it does not fit in the engine's memory.
//!
//! Invariant: every query over `events` gives rows in a total order, or one row.

use crate::{chaos::queries, client::Client, diff, error::Result, random::Random};

/// Rows of `events`: 100 MB of heap, and more than that in columns.
const EVENTS: usize = 700_000;
/// Of a hundred writes so many change `events`.
const WRITES_TO_EVENTS: usize = 15;

/// Makes all of them anew.
pub fn make(client: &mut Client) -> Result<()> {
    diff::make_tables(client)?;
    queries::make_tables(client)?;
    client.query(&format!(
        "CREATE TABLE chaos.events (id int PRIMARY KEY, customer int, kind char(1), amount numeric(12,2), at timestamp, note text);
         INSERT INTO chaos.events SELECT g, g::bigint * 7919 % 20011, chr(65 + g % 7), g::bigint * 31 % 1000003 / 100.0,
             timestamp '2024-01-01' + g * interval '7 seconds', md5(g::text) || md5((g * 3)::text) FROM generate_series(1, {EVENTS}) g;
         IMPORT FOREIGN SCHEMA chaos LIMIT TO (events) FROM SERVER fusion INTO chaos_fast"
    ))?;
    client.query("VACUUM (ANALYZE) chaos.events").map(|_| ())
}

/// A query that takes long and much memory: sorts, groups, joins and windows over all of `events`.
pub fn long_query(kind: u64) -> &'static str {
    match kind % 5 {
        // Spills.
        0 => {
            "SELECT count(*), sum(length(note)), max(id) FROM (SELECT id, note, amount FROM events ORDER BY note, amount, id OFFSET 1000) x"
        }
        1 => {
            "SELECT count(*), sum(n), max(first) FROM (SELECT note, count(*) AS n, min(id) AS first FROM events GROUP BY note) x"
        }
        2 => {
            "SELECT a.kind, count(*), sum(a.amount), max(b.note) FROM events a JOIN events b ON b.id = a.id + 1 GROUP BY a.kind ORDER BY a.kind"
        }
        3 => {
            "SELECT count(*), sum(r), max(s) FROM (SELECT rank() OVER (PARTITION BY customer ORDER BY at, id) AS r, \
             sum(amount) OVER (PARTITION BY customer ORDER BY at, id) AS s FROM events) x"
        }
        _ => {
            "SELECT customer, count(*), sum(amount), avg(amount), max(at), max(note), count(DISTINCT kind) FROM events GROUP BY customer ORDER BY customer"
        }
    }
}

/// Kinds of long queries.
pub const LONG_KINDS: u64 = 5;

/// A query with an error, and its SQLSTATE.
pub fn failing_query(random: &mut Random) -> (String, &'static str) {
    let id = 1 + random.below(queries::ORDERS);
    (format!("SELECT sum(total / (id - {id})) FROM orders WHERE id <= {id}"), "22012")
}

/// Something that changes the tables, a statement or a transaction.
pub fn write(random: &mut Random) -> String {
    if !random.percent(WRITES_TO_EVENTS) {
        return queries::write(random);
    }
    let id = 1 + random.below(EVENTS);
    match random.below(30) {
        0 => "VACUUM chaos.events".to_owned(),
        1..25 => format!("UPDATE chaos.events SET amount = amount + 1 WHERE id BETWEEN {id} AND {id} + 20"),
        _ => format!(
            "BEGIN; UPDATE chaos.events SET note = 'changed ' || id WHERE id BETWEEN {id} AND {id} + 200; ROLLBACK"
        ),
    }
}
