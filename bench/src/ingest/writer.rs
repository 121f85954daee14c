//! The writers: one session updates lineitem at a steady rate, another vacuums it now and then.
//!
//! A batch is one transaction that updates the rows of some orders, taken at random: the quantity in one, the comment in the
//! next. Invariants: a writer that is told to stop does so after the statement it is in; when the rate cannot be kept, it
//! writes without a pause, and the report says how much it wrote.

use std::{
    thread::{Scope, ScopedJoinHandle},
    time::{Duration, Instant},
};

use crate::{
    arguments::IngestOptions,
    client::{Answer, Client},
    error::{Error, Result},
    random::Random,
    stop::Stop,
};

/// Orders of a batch; an order has four rows on average.
const BATCH_ORDERS: usize = 25;
const CHANGES: [&str; 2] = ["l_quantity = l_quantity % 50 + 1", "l_comment = reverse(l_comment)"];

/// What the writers did.
#[derive(Debug, Default, Clone)]
pub struct Writing {
    pub rows: u64,
    pub batches: u64,
    pub time: Duration,
    /// Rows of lineitem.
    pub of: u64,
    /// How long each VACUUM took.
    pub vacuums: Vec<Duration>,
}

impl Writing {
    /// Per cent of lineitem that was updated in a minute.
    pub fn percent_per_minute(&self) -> f64 {
        self.rows as f64 * 100.0 / self.of.max(1) as f64 / self.time.as_secs_f64().max(1e-9) * 60.0
    }
}

pub struct Writers<'scope> {
    updates: ScopedJoinHandle<'scope, Result<Writing>>,
    vacuums: ScopedJoinHandle<'scope, Result<Vec<Duration>>>,
}

pub fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    options: &'scope IngestOptions,
    stop: &'scope Stop,
) -> Writers<'scope> {
    let interval = Duration::from_secs(options.vacuum);
    Writers {
        updates: scope.spawn(move || update(options.percent, stop)),
        vacuums: scope.spawn(move || vacuum(interval, stop)),
    }
}

impl Writers<'_> {
    /// Waits for their end, which must have been told.
    pub fn join(self) -> Result<Writing> {
        let panicked = |_| Err(Error::Connection(String::from("a writer panicked")));
        let (writing, vacuums) =
            (self.updates.join().unwrap_or_else(panicked), self.vacuums.join().unwrap_or_else(|_| Ok(Vec::new())));
        Ok(Writing { vacuums: vacuums?, ..writing? })
    }
}

fn update(percent: f64, stop: &Stop) -> Result<Writing> {
    let mut client = Client::connect()?;
    client.query("SET search_path = public")?;
    let orders = number(&client.query("SELECT count(*) FROM orders")?)?;
    let mut writing = Writing { of: number(&client.query("SELECT count(*) FROM lineitem")?)?, ..Writing::default() };
    let rows_per_second = writing.of as f64 * percent / 100.0 / 60.0;
    let mut random = Random::new(1, 1);
    let start = Instant::now();
    while !stop.is_told() {
        let keys: Vec<String> =
            (0..BATCH_ORDERS).map(|_| order_key(random.below(usize::try_from(orders).unwrap_or(1)))).collect();
        let change = CHANGES[usize::from(writing.batches % 2 == 1)];
        let answer = client.query(&format!(
            "WITH changed AS (UPDATE lineitem SET {change} WHERE l_orderkey = ANY ('{{{}}}') RETURNING 1) \
             SELECT count(*) FROM changed",
            keys.join(",")
        ))?;
        writing.rows += number(&answer)?;
        writing.batches += 1;
        stop.wait_until(start + Duration::from_secs_f64(writing.rows as f64 / rows_per_second.max(1e-9)));
    }
    writing.time = start.elapsed();
    Ok(writing)
}

fn vacuum(interval: Duration, stop: &Stop) -> Result<Vec<Duration>> {
    let mut client = Client::connect()?;
    client.query("SET search_path = public")?;
    let mut times = Vec::new();
    loop {
        stop.wait_until(Instant::now() + interval);
        if stop.is_told() {
            return Ok(times);
        }
        let start = Instant::now();
        client.query("VACUUM lineitem")?;
        times.push(start.elapsed());
    }
}

/// TPC-H uses eight of every 32 keys: the n-th order, from 0 on, has this one.
fn order_key(n: usize) -> String {
    let n = n + 1;
    ((n >> 3 << 5) | (n & 7)).to_string()
}

/// The one number of an answer.
fn number(answer: &Answer) -> Result<u64> {
    let text: String = answer.lines().collect();
    text.parse().map_err(|_| Error::Connection(format!("not a number: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_keys_are_sparse() {
        assert_eq!([0, 6, 7, 8, 14, 15].map(order_key), ["1", "7", "32", "33", "39", "64"]);
    }

    #[test]
    fn the_rate_is_per_minute() {
        let writing = Writing { rows: 50, of: 1000, time: Duration::from_secs(30), ..Writing::default() };
        assert!((writing.percent_per_minute() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn whoever_waits_is_woken() {
        let stop = Stop::default();
        let start = Instant::now();
        drop(stop.on_drop());
        stop.wait_until(start + Duration::from_secs(60));
        assert!(stop.is_told() && start.elapsed() < Duration::from_secs(30));
    }
}
