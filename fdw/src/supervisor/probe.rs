//! Whether the engine answers: the supervisor asks it for its status again and again.
//!
//! Invariants: nothing here waits; an engine counts as well while it has been asked for less than `fusion.engine_timeout`, so also while it starts; an answer
//! counts only if it is a status of the very process that was started, as whatever listens on the socket is what sessions would reach.

use fusion_proto::SOCKET_PATH;
use fusion_proto::codec::{self, Decoder};
use fusion_proto::message::{FromBackend, FromEngine};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use std::time::{Duration, Instant};

/// From an answer to the next question.
const INTERVAL: Duration = Duration::from_secs(1);

/// A question under way, and what has come of its answer.
#[derive(Debug)]
struct Question {
    socket: OwnedFd,
    answer: Decoder,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Probe {
    asked: Option<Question>,
    /// When the engine answered last, or was started.
    well: Instant,
}

impl Probe {
    /// Of an engine that has just been started.
    pub fn new() -> Self {
        Self { asked: None, well: Instant::now() }
    }

    /// Asks, or looks for the answer of the process `pid`. Gives for how long there has been none.
    pub fn look(&mut self, pid: u32) -> Duration {
        match self.asked.as_mut().map(Question::look) {
            Some(Answer::None) => {}
            Some(Answer::Of(answered)) if answered == pid => (self.asked, self.well) = (None, Instant::now()),
            Some(Answer::Of(_) | Answer::Wrong) => self.asked = None,
            None if self.well.elapsed() >= INTERVAL => self.asked = ask().ok(),
            None => {}
        }
        self.well.elapsed()
    }
}

/// What has come.
enum Answer {
    /// Nothing, or not all of it.
    None,
    /// The status of a process.
    Of(u32),
    /// Something else, or the end of the connection.
    Wrong,
}

impl Question {
    fn look(&mut self) -> Answer {
        let mut buffer = [0u8; 4096];
        match rustix::net::recv(&self.socket, &mut buffer, RecvFlags::DONTWAIT) {
            Ok((count @ 1.., _)) => self.answer.push(buffer.get(..count).unwrap_or_default()),
            Err(Errno::AGAIN | Errno::INTR) => return Answer::None,
            Ok((0, _)) | Err(_) => return Answer::Wrong,
        }
        match self.answer.take() {
            Ok(None) => Answer::None,
            Ok(Some(FromEngine::Status(status))) => Answer::Of(status.pid),
            Ok(Some(_)) | Err(_) => Answer::Wrong,
        }
    }
}

/// Sends the question on a new connection.
fn ask() -> Result<Question, Errno> {
    let address = SocketAddrUnix::new(SOCKET_PATH)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &address)?;
    let mut bytes = Vec::new();
    codec::encode(&FromBackend::Status, &mut bytes).map_err(|_| Errno::INVAL)?;
    // A fresh socket's buffer always has room for so short a message.
    rustix::net::send(&socket, &bytes, SendFlags::NOSIGNAL)?;
    Ok(Question { socket, answer: Decoder::default() })
}
