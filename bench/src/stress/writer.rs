//! The writers of the stress: transactions of random statements, and everything that is done to whole tables.
//!
//! One table is the focus for a while and gets most of the writing, so that the others come to rest and are served from the cache.
//! Only the writer 0 alters tables, so that heap tables and fusion tables are altered by one session.
//!
//! Invariants
//! - Locks are waited for no longer than lock_timeout; a writer's error ends its transaction, and is counted where it is expected.
//! - A fusion table that its heap table has run away from is mended before the writer 0 does anything else.

use std::time::Duration;

use super::{
    EXPECTED_OF_WRITERS, connect, expect,
    report::{Run, Written},
    tables::{KEYS, TABLES, Table},
};
use crate::{client::Client, error::Result, random::Random};

/// How long a table is the focus.
const FOCUS: Duration = Duration::from_secs(3);
/// Of writes, go to the focus.
const FOCUS_PERCENT: usize = 75;
/// Longest pause between two writes of a session, milliseconds.
const PAUSE_MS: usize = 25;
/// Ids of a statement.
const SPANS: [usize; 5] = [1, 1, 10, 40, 300];
/// Base of the random sequences of writers; those of readers are others.
const SEQUENCE: u64 = 1000;

struct Writer<'a> {
    run: &'a Run,
    number: u64,
    client: Client,
    random: Random,
    /// A table whose fusion table may not fit it.
    broken: Option<&'static Table>,
}

/// Writes until the run is over.
pub fn write(run: &Run, number: u64) -> Result<()> {
    let mut writer =
        Writer { run, number, client: connect()?, random: Random::new(run.seed, SEQUENCE + number), broken: None };
    while !run.is_over() {
        if let Err(error) = writer.one() {
            expect(run, "writers", &EXPECTED_OF_WRITERS, error)?;
            writer.client.query("ROLLBACK")?;
        }
        let pause = writer.random.below(PAUSE_MS) as u64;
        run.pause(Duration::from_millis(pause));
    }
    Ok(())
}

/// One random statement that changes some rows of a table, or locks them.
pub fn change(table: &Table, random: &mut Random) -> String {
    let name = table.name;
    let span = random.pick(&SPANS).min(table.ids);
    let first = 1 + random.below(table.ids - span + 1);
    let last = first + span - 1;
    let range = format!("id BETWEEN {first} AND {last}");
    match random.below(100) {
        0..30 => format!("UPDATE stress.{name} SET n = n + 1 WHERE {range}"),
        30..42 => format!("UPDATE stress.{name} SET k = (k + 1) % {KEYS}, n = n + 1 WHERE {range}"),
        42..50 => format!("UPDATE stress.{name} SET c = 'c' || (id + {first}) % 9 WHERE {range}"),
        50..56 => format!("UPDATE stress.{name} SET v = reverse(v), c = NULL WHERE {range}"),
        56..72 => format!("DELETE FROM stress.{name} WHERE {range}"),
        72..90 => table.insert(first, last),
        _ => {
            let strength = random.pick(&["UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE"]);
            format!("SELECT id FROM stress.{name} WHERE {range} FOR {strength}")
        }
    }
}

impl Writer<'_> {
    fn table(&mut self) -> &'static Table {
        let focus = (self.run.elapsed().as_secs() / FOCUS.as_secs().max(1)) as usize;
        let number = if self.random.percent(FOCUS_PERCENT) { focus } else { self.random.below(TABLES.len()) };
        &TABLES[number % TABLES.len()]
    }

    fn one(&mut self) -> Result<()> {
        if let Some(table) = self.broken {
            return self.mend(table);
        }
        let table = self.table();
        if self.number == 0 && self.random.percent(8) {
            return self.alter(table);
        }
        match self.random.below(1000) {
            0..120 => self.vacuum(table),
            120..130 => self.truncate(table),
            130..145 => self.copy_freeze(table),
            145..155 => self.vacuum_full(table),
            155..160 => {
                self.client.query(&format!("SELECT fusion.cache_evict('stress.{}')", table.name))?;
                self.run.count_write(Written::Evict);
                Ok(())
            }
            _ => self.transaction(table),
        }
    }

    /// Some statements, some of them in savepoints that are released or rolled back to.
    fn transaction(&mut self, table: &Table) -> Result<()> {
        let mut begin =
            String::from(if self.random.percent(20) { "BEGIN ISOLATION LEVEL REPEATABLE READ" } else { "BEGIN" });
        if self.random.percent(15) {
            begin.push_str("; SET LOCAL synchronous_commit = off");
        }
        self.client.query(&begin)?;
        for _ in 0..=self.random.below(4) {
            let statement = change(table, &mut self.random);
            let in_savepoint = self.random.percent(35);
            if in_savepoint {
                self.client.query(&format!("SAVEPOINT s; {statement}"))?;
            } else {
                self.client.query(&statement)?;
            }
            self.rest(40);
            if in_savepoint {
                let end = self.random.pick(&["ROLLBACK TO s", "RELEASE s"]);
                self.client.query(end)?;
            }
        }
        self.end()
    }

    /// Commits, or rolls back.
    fn end(&mut self) -> Result<()> {
        let commits = self.random.percent(75);
        self.client.query(if commits { "COMMIT" } else { "ROLLBACK" })?;
        self.run.count_write(if commits { Written::Committed } else { Written::RolledBack });
        Ok(())
    }

    /// Often a pause, of up to so many milliseconds.
    fn rest(&mut self, milliseconds: usize) {
        if self.random.percent(40) {
            let time = self.random.below(milliseconds) as u64;
            self.run.pause(Duration::from_millis(time));
        }
    }

    fn vacuum(&mut self, table: &Table) -> Result<()> {
        let options = self.random.pick(&[
            "",
            "(TRUNCATE off)",
            "(FREEZE)",
            "(FREEZE, DISABLE_PAGE_SKIPPING)",
            "(INDEX_CLEANUP off)",
            "(ANALYZE)",
        ]);
        self.client.query(&format!("VACUUM {options} stress.{}", table.name))?;
        self.run.count_write(Written::Vacuum);
        Ok(())
    }

    /// Rows are put in again in the same transaction, which is rolled back at times, or later.
    fn truncate(&mut self, table: &Table) -> Result<()> {
        self.client.query(&format!("BEGIN; TRUNCATE stress.{}", table.name))?;
        if self.random.percent(60) {
            self.client.query(&table.insert(1, table.ids))?;
        }
        self.rest(40);
        self.end()?;
        self.run.count_write(Written::Truncate);
        self.client.query(&table.insert(1, table.ids))?;
        self.run.count_write(Written::Committed);
        Ok(())
    }

    /// Into a table, or a partition, that the transaction has truncated.
    fn copy_freeze(&mut self, table: &Table) -> Result<()> {
        let all: Vec<usize> = (0..KEYS).collect();
        let (name, keys) = match table.leaves {
            [] => (table.name, all.as_slice()),
            leaves => self.random.pick(leaves),
        };
        self.client.query(&format!("BEGIN; TRUNCATE stress.{name}"))?;
        let mut ids = (1..=table.ids).filter(|id| keys.contains(&(id % KEYS)));
        let copy = format!("COPY stress.{name} (id, k, n, c, v) FROM STDIN WITH (FREEZE)");
        self.client.copy_in(&copy, |buffer| match ids.next() {
            Some(id) => {
                table.copy_row(id, buffer);
                true
            }
            None => false,
        })?;
        if self.random.percent(30) {
            let statement = change(table, &mut self.random);
            self.client.query(&statement)?;
        }
        self.end()?;
        self.run.count_write(Written::CopyFreeze);
        Ok(())
    }

    fn vacuum_full(&mut self, table: &Table) -> Result<()> {
        self.client.query(&format!("VACUUM (FULL) stress.{}", table.name))?;
        self.run.count_write(Written::VacuumFull);
        Ok(())
    }

    /// Changes heap table and fusion table, mostly in one transaction.
    fn alter(&mut self, table: &'static Table) -> Result<()> {
        let heap = self.state("stress", table)?;
        let what = if table.has_numeric && self.random.percent(50) {
            format!("ALTER COLUMN n TYPE {}", if heap.n == "numeric(10,2)" { "numeric(12,2)" } else { "numeric(10,2)" })
        } else if heap.extra {
            String::from("DROP COLUMN e")
        } else {
            let default = self.random.below(100);
            format!("ADD COLUMN e int DEFAULT {default}")
        };
        if self.random.percent(30) {
            self.client.query(&format!("ALTER TABLE stress.{} {what}", table.name))?;
            self.broken = Some(table);
            self.rest(60);
            return self.mend(table);
        }
        let of_fusion = what.split(" DEFAULT").next().unwrap_or_default();
        self.client.query(&format!("BEGIN; ALTER TABLE stress.{} {what}", table.name))?;
        self.client.query(&format!("ALTER FOREIGN TABLE stress_fast.{} {of_fusion}", table.name))?;
        self.rest(30);
        self.end()?;
        self.run.count_write(Written::Alter);
        Ok(())
    }

    /// Makes the fusion table what its heap table is.
    fn mend(&mut self, table: &'static Table) -> Result<()> {
        let (heap, fusion) = (self.state("stress", table)?, self.state("stress_fast", table)?);
        let mut mend = Vec::new();
        match (heap.extra, fusion.extra) {
            (true, false) => mend.push(String::from("ADD COLUMN e int")),
            (false, true) => mend.push(String::from("DROP COLUMN e")),
            _ => {}
        }
        if heap.n != fusion.n {
            mend.push(format!("ALTER COLUMN n TYPE {}", heap.n));
        }
        if !mend.is_empty() {
            self.client.query(&format!("ALTER FOREIGN TABLE stress_fast.{} {}", table.name, mend.join(", ")))?;
        }
        self.broken = None;
        self.run.count_write(Written::Alter);
        Ok(())
    }

    /// What of a table changes by ALTER TABLE.
    fn state(&mut self, schema: &str, table: &Table) -> Result<State> {
        let answer = self.client.query(&format!(
            "SELECT pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute \
             WHERE attrelid = '{schema}.{}'::regclass AND attname IN ('e', 'n') AND NOT attisdropped ORDER BY attname DESC",
            table.name
        ))?;
        Ok(State { n: answer.lines().next().unwrap_or_default(), extra: answer.rows().len() == 2 })
    }
}

struct State {
    /// Type of n.
    n: String,
    /// Whether there is a column e.
    extra: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_stay_within_the_ids() {
        let mut random = Random::new(1, 1);
        for table in &TABLES {
            for _ in 0..300 {
                let text = change(table, &mut random);
                if let Some((_, range)) = text.split_once("BETWEEN ") {
                    let ids: Vec<usize> = range.split(' ').filter_map(|word| word.parse().ok()).collect();
                    assert!(
                        matches!(ids[..], [first, last, ..] if 1 <= first && first <= last && last <= table.ids),
                        "{text}"
                    );
                }
            }
        }
    }
}
