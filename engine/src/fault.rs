//! Faults on demand, for tests: what a query is to suffer, and at which of its stages.
//!
//! Written `STAGE:KIND`, by the stages of [`crate::metrics::stage`] and `rows` (many rows have been sent); see [`Kind`] for the kinds.
//!
//! Invariant: an engine that was not started for it ([`ALLOWED`]) knows no faults.

use crate::error::{Error, Result};
use datafusion::error::DataFusionError;
use rustix::process::{Signal, getpid, kill_process};
use std::str::FromStr;

/// The environment variable that allows faults when the engine is started.
pub const ALLOWED: &str = "PG_FUSION_FAULTS";
/// The stage after [`FIRST_ROWS`] have been sent: more than a backend keeps before it gives the first ones out.
pub const ROWS: &str = "rows";
/// See [`ROWS`].
pub const FIRST_ROWS: u64 = 500_000;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An error of the engine.
    Error,
    /// A panic of the query's task.
    Panic,
    /// The process aborts.
    Abort,
    /// The process ends in good order, so to speak.
    Exit,
    /// SIGKILL.
    Kill,
    /// The process is stopped: nothing of it answers.
    Stop,
    /// The query's task waits for ever; the engine goes on.
    Hang,
    /// The memory pool refuses.
    Memory,
    /// The disk for spilling is full.
    Disk,
}

/// See the head of this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    stage: String,
    kind: Kind,
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::Unsupported(format!("unknown fault \"{text}\""));
        let (stage, kind) = text.split_once(':').ok_or_else(unknown)?;
        let kind = match kind {
            "error" => Kind::Error,
            "panic" => Kind::Panic,
            "abort" => Kind::Abort,
            "exit" => Kind::Exit,
            "kill" => Kind::Kill,
            "stop" => Kind::Stop,
            "hang" => Kind::Hang,
            "memory" => Kind::Memory,
            "disk" => Kind::Disk,
            _ => return Err(unknown()),
        };
        Ok(Self { stage: stage.to_owned(), kind })
    }
}

/// The fault of a query, if it is to suffer one.
#[derive(Debug, Default)]
pub struct Faults(Option<Fault>);

impl Faults {
    /// Of what a backend asked for.
    pub fn new(asked: Option<&str>, allowed: bool) -> Result<Self> {
        match asked.filter(|_| allowed) {
            Some(fault) => Ok(Self(Some(fault.parse()?))),
            None => Ok(Self(None)),
        }
    }

    /// Suffers the fault if it is this stage's.
    pub async fn at(&self, stage: &str) -> Result<()> {
        let Some(fault) = self.0.as_ref().filter(|fault| fault.stage == stage) else { return Ok(()) };
        let signal = |signal| {
            // A signal to oneself cannot fail; if it did, the query would go on and the test see it.
            let _ = kill_process(getpid(), signal);
        };
        match fault.kind {
            Kind::Error => return Err(Error::internal("a test asked for this error")),
            Kind::Panic => panic!("a test asked for this panic"),
            Kind::Abort => std::process::abort(),
            Kind::Exit => std::process::exit(3),
            Kind::Kill => signal(Signal::KILL),
            Kind::Stop => signal(Signal::STOP),
            Kind::Hang => std::future::pending().await,
            Kind::Memory => {
                return Err(DataFusionError::ResourcesExhausted("a test asked for this refusal".into()).into());
            }
            Kind::Disk => {
                let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
                return Err(DataFusionError::IoError(full).into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn faults_happen_at_their_stage_and_only_where_allowed() {
        let faults = Faults::new(Some("exec:error"), true).unwrap();
        assert!(faults.at("bind").await.is_ok());
        assert!(faults.at("exec").await.is_err());
        assert!(Faults::new(Some("exec:error"), false).unwrap().at("exec").await.is_ok());
        assert!(Faults::new(Some("nonsense"), true).is_err() && Faults::new(Some("exec:fire"), true).is_err());
    }
}
