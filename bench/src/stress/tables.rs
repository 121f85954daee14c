//! The tables of the stress: schema `stress`, with fusion tables of the same names in `stress_fast`.
//!
//! All have the columns id, k, n, c, v, and at times e, so that writers and readers need not know which table they have; they differ in
//! width, indexes, storage, and how many chunks of blocks they take. Rows have ids 1 to [`Table::ids`].
//!
//! Invariant: the values of a new row follow from its id, in SQL ([`Table::insert`]) as in COPY ([`Table::copy_row`]); n is not negative.

use std::io::Write as _;

use crate::{client::Client, error::Result};

/// A table. What it takes is about what VACUUM FULL leaves.
pub struct Table {
    pub name: &'static str,
    /// Rows have ids 1 to this.
    pub ids: usize,
    /// Everything behind the name in CREATE TABLE, and the statements after it.
    definition: &'static str,
    /// Length of `v` for the id `g`, in SQL; see [`Table::length`].
    length: &'static str,
    /// Whether `id` is a primary key, so that inserts can leave out what is there.
    pub has_key: bool,
    /// Type of n: its scale is 2, and its precision may change.
    pub has_numeric: bool,
    /// Partitions, with the values of k that go there.
    pub leaves: &'static [(&'static str, &'static [usize])],
}

/// Rows have k from 0 to this - 1.
pub const KEYS: usize = 7;

/// | table | rows a block | chunks | updates of |
/// | --- | --- | --- | --- |
/// | narrow | 100 | 1 | everything are HOT where there is room; no index at all |
/// | money | 9 | 4 | n, c, v are HOT, of k are not |
/// | long | few; every third v is out of line | 1 | n, c, v are HOT, of k are not |
/// | spread | 2 | 20 | n, c, v are HOT, of k are not |
/// | parted | 6 | 3 of 2 | k move rows between partitions |
pub const TABLES: [Table; 5] = [
    Table {
        name: "narrow",
        ids: 9000,
        definition: "(id int, k int, n bigint, c text, v varchar(20)) WITH (autovacuum_enabled = off)",
        length: "4 + g % 5",
        has_key: false,
        has_numeric: false,
        leaves: &[],
    },
    Table {
        name: "money",
        ids: 4500,
        definition: "(id int PRIMARY KEY, k int, n numeric(10,2), c text, v text) \
                     WITH (fillfactor = 10, autovacuum_enabled = off); CREATE INDEX ON stress.money (k)",
        length: "g % 40",
        has_key: true,
        has_numeric: true,
        leaves: &[],
    },
    Table {
        name: "long",
        ids: 600,
        definition: "(id int PRIMARY KEY, k int, n numeric, c text, v text) \
                     WITH (fillfactor = 50, autovacuum_enabled = off); \
                     CREATE INDEX ON stress.long (k); ALTER TABLE stress.long ALTER COLUMN v SET STORAGE EXTERNAL",
        length: "CASE WHEN g % 3 = 0 THEN 2200 + g % 900 ELSE g % 50 END",
        has_key: true,
        has_numeric: false,
        leaves: &[],
    },
    Table {
        name: "spread",
        ids: 5000,
        definition: "(id int PRIMARY KEY, k int, n numeric(10,2), c text, v text) \
                     WITH (fillfactor = 10, autovacuum_enabled = off); CREATE INDEX ON stress.spread (k)",
        length: "320 + g % 50",
        has_key: true,
        has_numeric: true,
        leaves: &[],
    },
    Table {
        name: "parted",
        ids: 2500,
        definition: "(id int, k int, n numeric(10,2), c text, v text) PARTITION BY LIST (k); \
            CREATE TABLE stress.parted_low PARTITION OF stress.parted FOR VALUES IN (0, 1, 2, 3) \
                WITH (fillfactor = 10, autovacuum_enabled = off); \
            CREATE TABLE stress.parted_high PARTITION OF stress.parted DEFAULT \
                WITH (fillfactor = 20, autovacuum_enabled = off); \
            CREATE INDEX ON stress.parted (id)",
        length: "80 + g % 20",
        has_key: false,
        has_numeric: true,
        leaves: &[("parted_low", &[0, 1, 2, 3]), ("parted_high", &[4, 5, 6])],
    },
];

/// Makes the schemas anew, with all rows.
pub fn make(client: &mut Client) -> Result<()> {
    client.query(
        "DROP SCHEMA IF EXISTS stress_fast CASCADE; DROP SCHEMA IF EXISTS stress CASCADE; \
         CREATE EXTENSION IF NOT EXISTS pg_fusion; CREATE SCHEMA stress; CREATE SCHEMA stress_fast",
    )?;
    for table in &TABLES {
        client.query(&format!("CREATE TABLE stress.{} {}", table.name, table.definition))?;
        client.query(&table.insert(1, table.ids))?;
        client.query(&format!("VACUUM (ANALYZE) stress.{}", table.name))?;
    }
    client.query("IMPORT FOREIGN SCHEMA stress FROM SERVER fusion INTO stress_fast")?;
    Ok(())
}

impl Table {
    /// An INSERT of those ids from `first` to `last` that are not there.
    pub fn insert(&self, first: usize, last: usize) -> String {
        let (name, length) = (self.name, self.length);
        let rows = format!(
            "INSERT INTO stress.{name} (id, k, n, c, v) \
             SELECT g, g % {KEYS}, g / 4.0, 'c' || g % 5, rpad('v' || g, {length}, 'abc') FROM generate_series({first}, {last}) g"
        );
        if self.has_key {
            format!("{rows} ON CONFLICT DO NOTHING")
        } else {
            format!("{rows} WHERE NOT EXISTS (SELECT FROM stress.{name} t WHERE t.id = g)")
        }
    }

    /// The same rows as text of COPY (id, k, n, c, v).
    pub fn copy_row(&self, id: usize, buffer: &mut Vec<u8>) {
        let mut v = format!("v{id}");
        let length = self.length(id);
        v.extend("abc".chars().cycle().take(length.saturating_sub(v.len())));
        v.truncate(length);
        let n = match self.name {
            "narrow" => format!("{}", (id + 2) / 4),
            _ => format!("{}.{:02}", id / 4, id % 4 * 25),
        };
        // Writing to a vector does not fail.
        let _ = writeln!(buffer, "{id}\t{}\t{n}\tc{}\t{v}", id % KEYS, id % 5);
    }

    /// What `length` says in SQL.
    fn length(&self, id: usize) -> usize {
        match self.name {
            "narrow" => 4 + id % 5,
            "money" => id % 40,
            "long" if id.is_multiple_of(3) => 2200 + id % 900,
            "long" => id % 50,
            "spread" => 320 + id % 50,
            _ => 80 + id % 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copied_rows_have_five_values() {
        for table in &TABLES {
            for id in [1, 3, table.ids] {
                let mut row = Vec::new();
                table.copy_row(id, &mut row);
                let row = String::from_utf8(row).expect("text");
                let values: Vec<&str> = row.trim_end_matches('\n').split('\t').collect();
                assert_eq!(values.len(), 5, "{row}");
                assert_eq!((values[0], values[4].len()), (id.to_string().as_str(), table.length(id)), "{row}");
            }
        }
    }

    #[test]
    fn every_key_has_a_partition() {
        for table in TABLES.iter().filter(|table| !table.leaves.is_empty()) {
            let keys: usize = table.leaves.iter().map(|(_, keys)| keys.len()).sum();
            assert_eq!(keys, KEYS);
        }
    }
}
