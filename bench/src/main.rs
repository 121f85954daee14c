//! `fusion_bench`: loads TPC-H into a private PostgreSQL, runs its queries on the heap tables and on the fusion tables, and
//! compares the answers byte for byte. `scripts/demo.sh` and `scripts/bench.sh` drive it. `fusion_bench diff` does the same with
//! the query files of the differential suite (`regress/diff`), and with generated queries; `scripts/regress.sh` drives that.
//!
//! Way of a run: `arguments` → `load` (schema, COPY, indexes, VACUUM) or `run` (time, compare) → `report` (the table), all
//! of them over `client`, a connection to the Unix socket that `PGHOST` and `PGPORT` name.
//!
//! Exit status: 0 when everything was done (`run`: every query ran in the engine and every answer is the same; `diff`:
//! every query did what its file says), 1 when not, 2 for wrong arguments.

mod arguments;
mod client;
mod diff;
mod error;
mod load;
mod report;
mod run;
mod schema;

use std::process::ExitCode;

use arguments::Command;

fn main() -> ExitCode {
    let done = match arguments::parse(std::env::args().skip(1)) {
        Ok(Command::Load(options)) => load::load(&options).map(|()| true),
        Ok(Command::Run(options)) => run::run(&options),
        Ok(Command::Diff(options)) => diff::run(&options),
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
