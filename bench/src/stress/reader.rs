//! The readers of the stress: in one snapshot a query natively, then in the engine, as often and by as many ways as there are.
//!
//! Way of a transaction: at times some changes of its own → native answer → is the route the engine? → the engine's answer, some
//! times with pauses, or by a cursor that is fetched in parts → compare each → at times natively again.
//!
//! Invariants: the native answer comes first (see the head of `stress`); an answer that differs is asked for again, both ways, so that
//! the report says whether it stays.

use std::time::Duration;

use super::{
    EXPECTED_OF_READERS, connect, expect,
    report::{Run, Way},
    tables::{KEYS, TABLES, Table},
    writer,
};
use crate::{
    client::{Answer, Client},
    diff,
    error::Result,
    random::Random,
};

const NATIVE: &str = "SET LOCAL search_path = stress; SET LOCAL fusion.enabled = off";
const ENGINE: &str = "SET LOCAL search_path = stress_fast; SET LOCAL fusion.enabled = on; SET LOCAL fusion.force = on; \
                      SET LOCAL fusion.fallback = off";
/// Of transactions, read by a cursor.
const CURSOR_PERCENT: usize = 40;
/// Of transactions, change something themselves.
const OWN_PERCENT: usize = 15;
/// Longest pause between two readings, milliseconds.
const PAUSE_MS: usize = 80;
/// Rows of one FETCH.
const PARTS: [usize; 5] = [1, 20, 200, 700, 3000];
/// Does not occur in queries, which are quoted with it.
const QUOTE: &str = "$stress$";

struct Reader<'a> {
    run: &'a Run,
    number: u64,
    client: Client,
    random: Random,
    /// Transactions so far.
    transactions: u64,
}

/// Reads until the run is over.
pub fn read(run: &Run, number: u64) -> Result<()> {
    let mut reader = Reader { run, number, client: connect()?, random: Random::new(run.seed, number), transactions: 0 };
    while !run.is_over() {
        reader.transactions += 1;
        let table = reader.random.pick(&[&TABLES[0], &TABLES[1], &TABLES[2], &TABLES[3], &TABLES[3], &TABLES[4]]);
        let by_cursor = reader.random.percent(CURSOR_PERCENT);
        let sql = query(table, by_cursor, &mut reader.random);
        if let Err(error) = reader.transaction(table, &sql, by_cursor) {
            // A lost connection shows again at the ROLLBACK, and ends the session.
            if let Err(error) = expect(run, "readers", &EXPECTED_OF_READERS, error) {
                run.fail(&format!("{}: {error}\n{sql}", reader.name()));
            }
            reader.client.query("ROLLBACK")?;
        }
        reader.pause();
    }
    Ok(())
}

/// A query that runs in the engine as a whole; tables are named without a schema.
fn query(table: &Table, by_cursor: bool, random: &mut Random) -> String {
    let name = table.name;
    let other = random.pick(&["narrow", "money", "spread", "parted"]);
    let (first, k) = (random.below(table.ids), random.below(KEYS));
    let last = first + table.ids / 3;
    if by_cursor {
        // Long rows, so that the engine cannot be far ahead of what is fetched.
        return match random.below(4) {
            0 => format!("SELECT id, k, n, c, v FROM {name}"),
            1 => format!("SELECT id, k, repeat(v, 3) FROM {name} WHERE k <> {k}"),
            _ => format!("SELECT id, k, n, c, v, repeat(v, 4) FROM {name}"),
        };
    }
    match random.below(14) {
        0..4 => format!("SELECT id, k, n, c, v FROM {name}"),
        4 => format!("SELECT k, count(*), sum(n), min(id), max(id) FROM {name} GROUP BY k"),
        5 => format!("SELECT c, count(*), sum(length(v)), avg(n) FROM {name} GROUP BY c"),
        6 => format!("SELECT count(*) FROM {name}"),
        7 => format!("SELECT id, n, c FROM {name} WHERE id BETWEEN {first} AND {last}"),
        8 => format!("SELECT id, v FROM {name} WHERE n < {first} AND c <> 'c1'"),
        9 => format!("SELECT v FROM {name} WHERE c = 'c{k}' OR k = {k}"),
        10 => format!(
            "SELECT count(*), sum(a.n), sum(length(b.v)) FROM {name} a JOIN {name} b ON a.id = b.id AND a.k = b.k"
        ),
        11 => format!(
            "SELECT b.c, count(*), sum(a.n) FROM {name} a JOIN {other} b ON a.id = b.id WHERE b.k = {k} GROUP BY b.c"
        ),
        12 => format!("SELECT count(e), sum(e), sum(n) FROM {name}"),
        _ => format!("SELECT id, k FROM {name} WHERE id IN (SELECT id FROM {other} WHERE k = {k})"),
    }
}

impl Reader<'_> {
    fn name(&self) -> String {
        format!("reader {}, transaction {}", self.number, self.transactions)
    }

    fn pause(&mut self) {
        let time = self.random.below(PAUSE_MS) as u64;
        self.run.pause(Duration::from_millis(time));
    }

    fn transaction(&mut self, table: &Table, sql: &str, by_cursor: bool) -> Result<()> {
        self.client.query("BEGIN ISOLATION LEVEL REPEATABLE READ")?;
        if self.random.percent(OWN_PERCENT) {
            self.change(table)?;
        }
        let native = self.native(sql)?;
        let route = self.route(sql)?;
        if route != "engine" {
            self.run.fail(&format!("{}: route {route}\n{sql}", self.name()));
            self.client.query("ROLLBACK")?;
            return Ok(());
        }
        let mut stays = true;
        if by_cursor {
            stays = self.cursor(table, sql, &native)?;
        } else {
            for _ in 0..=self.random.below(3) {
                let engine = self.engine(sql)?;
                self.compare(Way::Whole, sql, &native, &engine, true)?;
                self.pause();
            }
        }
        if stays && self.random.percent(10) {
            let again = self.native(sql)?;
            if let Some(text) = diff::compare(&native, &again, false) {
                self.run.fail(&format!("{}: the native answer changed within a snapshot\n{sql}\n{text}", self.name()));
            }
        }
        self.client.query("ROLLBACK")?;
        Ok(())
    }

    /// Changes some rows in the reader's own transaction.
    fn change(&mut self, table: &Table) -> Result<()> {
        let statement = writer::change(table, &mut self.random);
        self.client.query(&statement).map(|_| ())
    }

    fn native(&mut self, sql: &str) -> Result<Answer> {
        self.client.query(&format!("{NATIVE}; {sql}"))
    }

    fn engine(&mut self, sql: &str) -> Result<Answer> {
        self.client.query(&format!("{ENGINE}; {sql}"))
    }

    fn route(&mut self, sql: &str) -> Result<String> {
        let answer =
            self.client.query(&format!("{ENGINE}; SELECT route FROM fusion.explain_route({QUOTE}{sql}{QUOTE})"))?;
        Ok(answer.lines().next().unwrap_or_default())
    }

    /// Reads a cursor in parts, with pauses, other queries and changes between them, which it does not see. Returns whether the
    /// transaction still sees what `native` was read from.
    fn cursor(&mut self, table: &Table, sql: &str, native: &Answer) -> Result<bool> {
        self.client.query(&format!("{ENGINE}; DECLARE c NO SCROLL CURSOR FOR {sql}"))?;
        let changes = self.random.percent(OWN_PERCENT);
        let mut changed = false;
        let mut engine: Option<Answer> = None;
        loop {
            let wanted = self.random.pick(&PARTS);
            let part = self.client.query(&format!("FETCH {wanted} FROM c"))?;
            let is_last = part.rows().len() < wanted;
            match &mut engine {
                Some(engine) => engine.append(part),
                None => engine = Some(part),
            }
            if is_last {
                break;
            }
            if self.random.percent(40) {
                self.pause();
            }
            if changes && !changed {
                changed = true;
                self.change(table)?;
            } else if !changed && self.random.percent(10) {
                let whole = self.engine(sql)?;
                self.compare(Way::Whole, sql, native, &whole, true)?;
            }
        }
        self.client.query("CLOSE c")?;
        self.compare(Way::Cursor, sql, native, &engine.unwrap_or_default(), !changed)?;
        Ok(!changed)
    }

    /// Counts a comparison. Where the answers differ, both are asked for once more, if the transaction still sees the same.
    fn compare(&mut self, way: Way, sql: &str, native: &Answer, engine: &Answer, again: bool) -> Result<()> {
        let Some(text) = diff::compare(native, engine, false) else {
            self.run.count_comparison(way, engine.rows().len());
            return Ok(());
        };
        let name = self.name();
        self.run.differ(&format!("{name}, {way:?}\n{sql}\n{text}"));
        if again {
            let (engine, natively) = (self.engine(sql)?, self.native(sql)?);
            let word = |answer| if diff::compare(native, answer, false).is_none() { "equal" } else { "different" };
            println!("    {name}: again in the engine: {}, again natively: {}", word(&engine), word(&natively));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_name_no_schema() {
        let mut random = Random::new(1, 2);
        for table in &TABLES {
            for at in 0..200 {
                let sql = query(table, at % 2 == 0, &mut random);
                assert!(!sql.contains("stress") && !sql.contains(QUOTE), "{sql}");
            }
        }
    }
}
