//! Those who break things: one kills engines, one cancels and terminates backends.

use std::{sync::atomic::Ordering, time::Duration};

use super::{Chaos, count};
use crate::{client::Client, error::Result, random::Random};

/// Between two strikes.
const STRIKE_PAUSE: Duration = Duration::from_millis(150);
/// Of a hundred strikes so many end the backend.
const TERMINATIONS: usize = 20;
/// Of a hundred kills so many only stop the engine, which then answers nobody until its supervisor kills it.
const STOPS: usize = 10;

/// Kills the engine every so often.
pub fn kill_engines(chaos: &Chaos, interval: Duration) {
    let mut random = Random::new(chaos.seed, 2_000_000);
    while !chaos.is_over() {
        chaos.pause(interval);
        if let Err(error) = kill(chaos, random.percent(STOPS)) {
            chaos.fail(format!("the engine could not be killed: {error}"));
            return;
        }
    }
}

fn kill(chaos: &Chaos, stop: bool) -> Result<()> {
    let mut client = Client::connect()?;
    let status = client.query("SELECT pid, queries_total FROM fusion.stat_engine")?;
    // It may be starting.
    let Some(row) = status.rows().first() else { return Ok(()) };
    let text = |at: usize| {
        let value = row.get(at).and_then(|value| value.as_deref()).unwrap_or_default();
        String::from_utf8_lossy(value).into_owned()
    };
    let (pid, queries) = (text(0), text(1).parse::<u64>().unwrap_or(0));
    let signal = if stop { "STOP" } else { "KILL" };
    client.query(&format!("COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; kill -{signal} {pid} || true'"))?;
    chaos.counts.in_engine.fetch_add(queries, Ordering::Relaxed);
    count(if stop { &chaos.counts.stops } else { &chaos.counts.kills });
    Ok(())
}

/// Cancels and terminates clients at random.
pub fn strike_backends(chaos: &Chaos) {
    let mut random = Random::new(chaos.seed, 3_000_000);
    let mut client = match Client::connect() {
        Ok(client) => client,
        Err(error) => return chaos.fail(format!("a monkey could not connect: {error}")),
    };
    while !chaos.is_over() {
        chaos.pause(STRIKE_PAUSE);
        let seat = &chaos.seats[random.below(chaos.seats.len())];
        let pid = seat.pid.load(Ordering::Relaxed);
        if pid == 0 {
            continue;
        }
        let terminate = random.percent(TERMINATIONS);
        seat.strikes.fetch_add(1, Ordering::SeqCst);
        let function = if terminate { "pg_terminate_backend" } else { "pg_cancel_backend" };
        if let Err(error) = client.query(&format!("SET client_min_messages = error; SELECT {function}({pid})")) {
            return chaos.fail(format!("a monkey failed: {error}"));
        }
        count(if terminate { &chaos.counts.terminations } else { &chaos.counts.cancels });
    }
}
