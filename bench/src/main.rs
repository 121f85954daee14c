//! `fusion_bench`: loads TPC-H into a private PostgreSQL, runs its queries on the heap tables and on the fusion tables, and
//! compares the answers byte for byte (`run`: `scripts/demo.sh`); times them beside other engines (`bench`) and while
//! another session writes (`ingest`: `scripts/bench.sh`). `fusion_bench diff` does the same with the query files of the
//! differential suite (`regress/diff`), and with generated queries; `fusion_bench stress` compares while other sessions change
//! the tables in every way. `scripts/regress.sh` drives both.
//!
//! Way of a run: `arguments` → `load` (schema, COPY, indexes, VACUUM), or `run`, `bench` or `ingest` (time, compare) → a
//! table, all of them over `client`, a connection to the Unix socket that `PGHOST` and `PGPORT` name.
//!
//! `chaos` does the same while the engine is killed and backends are struck down, `soak` for a hundred thousand queries while it watches what the
//! engine holds (`scripts/regress.sh`).
//!
//! Exit status: 0 when everything was done (`run` and `bench`: every forced query ran in the engine and every answer is the
//! same; `ingest`, `stress`: every answer is the same; `diff`: every query did what its file says), 1 when not, 2 for wrong
//! arguments.

mod answer;
mod arguments;
mod bench;
mod cache;
mod chaos;
mod chart;
mod client;
mod diff;
mod error;
mod ingest;
mod load;
mod machine;
mod queries;
mod random;
mod report;
mod rows;
mod run;
mod schema;
mod soak;
mod statistics;
mod stop;
mod stress;

use std::process::ExitCode;

use arguments::Command;

fn main() -> ExitCode {
    let done = match arguments::parse(std::env::args().skip(1)) {
        Ok(Command::Load(options)) => load::load(&options).map(|()| true),
        Ok(Command::Run(options)) => run::run(&options),
        Ok(Command::Bench(options)) => bench::run(&options),
        Ok(Command::Ingest(options)) => ingest::run(&options),
        Ok(Command::Chaos(options)) => chaos::run(&options),
        Ok(Command::Tables) => rows::print_tables().map(|()| true),
        Ok(Command::Rows(options)) => rows::print(&options.table, options.scale).map(|()| true),
        Ok(Command::Diff(options)) => diff::run(&options),
        Ok(Command::Soak(options)) => soak::run(&options),
        Ok(Command::Stress(options)) => stress::run(&options),
        Err(message) => {
            eprintln!("error: {message}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
