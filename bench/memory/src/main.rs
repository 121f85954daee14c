//! TPC-H in DataFusion over tables in memory, for `fusion_bench bench`: the same version of DataFusion as the engine's, the same
//! rows as the loader's, no PostgreSQL. It answers queries one at a time, by number:
//!
//! ```text
//! fusion_bench_memory --scale 1 --threads 2 --queries bench/queries/tpch
//!   → ready DataFusion 55.2.0, 2 threads          when the tables are there
//!   ← 6                                           a line on standard input
//!   → ok ROWS MICROSECONDS                        or: error TEXT
//! ```
//!
//! Invariants: it ends when standard input does; the time runs from the query's text to the last batch of its answer.

mod tables;

use std::{
    error::Error,
    fs,
    io::{self, BufRead, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use datafusion::prelude::{SessionConfig, SessionContext};
use tokio::runtime::{Builder, Runtime};

/// The engine's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

unsafe extern "C" {
    /// Of mimalloc: gives memory that is not in use back to the system.
    fn mi_collect(force: bool);
}

/// The engine's stack: deep plans are walked recursively.
const THREAD_STACK: usize = 8 << 20;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Options {
    /// TPC-H scale factor.
    scale: f64,
    threads: usize,
    /// Holds qNN.sql.
    queries: PathBuf,
}

fn main() -> Result<()> {
    let options = parse(std::env::args().skip(1))?;
    let runtime =
        Builder::new_multi_thread().worker_threads(options.threads).thread_stack_size(THREAD_STACK).build()?;
    let context = SessionContext::new_with_config(configuration(options.threads));
    tables::register(&context, options.scale, options.threads)?;
    // SAFETY: it has no precondition, and touches only what nobody uses.
    unsafe { mi_collect(true) };
    println!("ready DataFusion {}, {} threads", datafusion::DATAFUSION_VERSION, options.threads);
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = match answer(&runtime, &context, &options, line.trim()) {
            Ok((rows, time)) => format!("ok {rows} {}", time.as_micros()),
            Err(error) => format!("error {}", error.to_string().replace('\n', " ")),
        };
        println!("{answer}");
        io::stdout().flush()?;
    }
    Ok(())
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options { scale: 0.1, threads: 1, queries: PathBuf::from("bench/queries/tpch") };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--scale" => options.scale = value.parse()?,
            "--threads" => options.threads = value.parse::<usize>()?.max(1),
            "--queries" => options.queries = PathBuf::from(value),
            _ => return Err(format!("there is no option {name}").into()),
        }
    }
    Ok(options)
}

/// The defaults, but for literals such as 0.06, which are decimals as they are in PostgreSQL.
fn configuration(threads: usize) -> SessionConfig {
    let mut config = SessionConfig::new().with_target_partitions(threads).with_batch_size(tables::BATCH_ROWS);
    config.options_mut().sql_parser.parse_float_as_decimal = true;
    config
}

/// Rows of the answer of a query, and its time.
fn answer(runtime: &Runtime, context: &SessionContext, options: &Options, number: &str) -> Result<(usize, Duration)> {
    let number: u32 = number.parse().map_err(|_| format!("not a number of a query: {number}"))?;
    let path = options.queries.join(format!("q{number:02}.sql"));
    let sql = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let start = Instant::now();
    let context = context.clone();
    // On a worker, as in the engine: the main thread's stack may be too small for planning.
    let batches = runtime.block_on(runtime.spawn(async move { context.sql(&sql).await?.collect().await }))??;
    Ok((batches.iter().map(|batch| batch.num_rows()).sum(), start.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let words = ["--scale", "0.5", "--threads", "0"].map(String::from);
        let options = parse(words.into_iter()).expect("options");
        assert_eq!((options.scale, options.threads), (0.5, 1));
        assert!(parse([String::from("--scale")].into_iter()).is_err());
        assert!(parse(["--walk", "1"].map(String::from).into_iter()).is_err());
    }
}
