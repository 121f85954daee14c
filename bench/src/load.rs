//! Makes and fills the TPC-H tables: rows stream from the generator into COPY, nothing is written to a file in between.
//!
//! Three steps, each over two connections where the tables do not depend on each other: rows, keys and indexes, VACUUM
//! ANALYZE. A step that takes long says every two seconds where it is.

use std::{
    collections::VecDeque,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use crate::{
    arguments::LoadOptions,
    client::Client,
    error::{Error, Result},
    rows,
    schema::{FOREIGN_KEYS, TABLES, Table},
};

const CONNECTIONS: usize = 2;
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
/// The generator yields rows one at a time; this many go into the buffer between two looks at the clock.
const ROWS_PER_LOOK: usize = 500;

pub fn load(options: &LoadOptions) -> Result<()> {
    let start = Instant::now();
    for_each_table(|client, table| fill(client, table, options.scale))?;
    for_each_table(add_indexes)?;
    let mut client = Client::connect()?;
    timed("foreign keys", || FOREIGN_KEYS.iter().try_for_each(|statement| client.query(statement).map(|_| ())))?;
    for_each_table(|client, table| {
        timed_quietly(&format!("{}: vacuum and analyze", table.name), || {
            client.query(&format!("VACUUM (ANALYZE) {}", table.name)).map(|_| ())
        })
    })?;
    client.query("CHECKPOINT")?;
    let size = client.query("SELECT pg_size_pretty(pg_database_size(current_database()))")?;
    println!("    loaded in {:.1} s, {}", start.elapsed().as_secs_f64(), size.lines().collect::<String>());
    Ok(())
}

/// Runs `work` for every table, on as many connections as there are loaders; the first error ends it.
fn for_each_table(work: impl Fn(&mut Client, &'static Table) -> Result<()> + Sync) -> Result<()> {
    let queue: Mutex<VecDeque<&'static Table>> = Mutex::new(TABLES.iter().collect());
    let next = || queue.lock().map_or(None, |mut tables| tables.pop_front());
    thread::scope(|scope| {
        let workers: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect()?;
                    while let Some(table) = next() {
                        work(&mut client, table)?;
                    }
                    Ok(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| Err(Error::Connection(String::from("a loader thread panicked"))))
        })
    })
}

/// Creates a table and copies its rows, in one transaction: with wal_level minimal none of it goes to the log.
fn fill(client: &mut Client, table: &Table, scale: f64) -> Result<()> {
    client.query("BEGIN")?;
    client.query(&format!("DROP TABLE IF EXISTS {} CASCADE", table.name))?;
    client.query(&format!("CREATE TABLE {} ({})", table.name, table.columns))?;
    copy(client, table.name, scale)?;
    client.query("COMMIT").map(|_| ())
}

fn copy(client: &mut Client, name: &str, scale: f64) -> Result<()> {
    let start = Instant::now();
    let mut said = start;
    let mut count = 0u64;
    let mut rows = rows::of(name, scale)?;
    client.copy_in(&format!("COPY {name} FROM STDIN (DELIMITER '|')"), |buffer| {
        for _ in 0..ROWS_PER_LOOK {
            if !rows(buffer) {
                return false;
            }
            count += 1;
        }
        if said.elapsed() >= PROGRESS_INTERVAL {
            said = Instant::now();
            println!("    {name}: {count} rows ...");
        }
        true
    })?;
    println!("    {name}: {count} rows in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn add_indexes(client: &mut Client, table: &'static Table) -> Result<()> {
    timed_quietly(&format!("{}: keys and indexes", table.name), || {
        table.indexes.iter().try_for_each(|statement| client.query(statement).map(|_| ()))
    })
}

/// Runs `work`, and says every two seconds that it is under way, and how long it took.
fn timed(label: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    timed_quietly(label, work)?;
    println!("    {label} in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// The same, silent when `work` is quick.
fn timed_quietly(label: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while wait.recv_timeout(PROGRESS_INTERVAL) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                println!("    {label} ... {} s", start.elapsed().as_secs());
            }
        });
        let result = work();
        drop(done);
        result
    })
}
