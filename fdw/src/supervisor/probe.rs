//! Whether the engine answers: the supervisor asks it for its status again and again.
//!
//! Invariants: nothing here waits; an engine counts as well while it has been asked for less than `fusion.engine_timeout`, so also while it starts.

use fusion_proto::SOCKET_PATH;
use fusion_proto::codec;
use fusion_proto::message::FromBackend;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use std::time::{Duration, Instant};

/// From an answer to the next question.
const INTERVAL: Duration = Duration::from_secs(1);

/// See the head of this file.
#[derive(Debug)]
pub struct Probe {
    /// The question under way.
    asked: Option<OwnedFd>,
    /// When the engine answered last, or was started.
    well: Instant,
}

impl Probe {
    /// Of an engine that has just been started.
    pub fn new() -> Self {
        Self { asked: None, well: Instant::now() }
    }

    /// Asks, or looks for the answer. Gives for how long there has been none.
    pub fn look(&mut self) -> Duration {
        match &self.asked {
            Some(socket) => match rustix::net::recv(socket, &mut [0u8; 256], RecvFlags::DONTWAIT) {
                Ok((0, _)) => self.asked = None,
                // What it says does not matter.
                Ok(_) => (self.asked, self.well) = (None, Instant::now()),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => self.asked = None,
            },
            None if self.well.elapsed() >= INTERVAL => self.asked = ask().ok(),
            None => {}
        }
        self.well.elapsed()
    }
}

/// Sends the question on a new connection.
fn ask() -> Result<OwnedFd, Errno> {
    let address = SocketAddrUnix::new(SOCKET_PATH)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &address)?;
    let mut bytes = Vec::new();
    codec::encode(&FromBackend::Status, &mut bytes).map_err(|_| Errno::INVAL)?;
    // A fresh socket's buffer always has room for so short a message.
    rustix::net::send(&socket, &bytes, SendFlags::NOSIGNAL)?;
    Ok(socket)
}
