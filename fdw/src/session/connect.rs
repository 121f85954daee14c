//! Reaching the engine: connect, check who is there, shake hands, map the segment.
//!
//! Invariants: the whole of it takes at most `fusion.connect_timeout`; after a failure only [`IMPATIENT_TIMEOUT`], until a
//! connect succeeds again, so that a dead engine slows one query of a session down and not all; the socket belongs to our own
//! operating-system user; an interrupt on the way just closes the socket.

use super::connection::Connection;
use crate::error::Result;
use crate::{guc, pg, supervisor};
use fusion_common::{SqlError, SqlState};
use fusion_proto::codec::{self, Decoder};
use fusion_proto::message::{FromBackend, FromEngine, Hello};
use fusion_proto::segment::{self, Segment};
use fusion_proto::{BUILD_ID, PROTOCOL_VERSION, SOCKET_PATH};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Between two attempts while the engine starts.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// How often a waiting session looks whether there is a supervisor at all.
const SUPERVISOR_CHECK: Duration = Duration::from_secs(1);

/// How long an engine may take to answer a session whose last attempt failed.
const IMPATIENT_TIMEOUT: Duration = Duration::from_millis(50);

thread_local! {
    /// Whether the last attempt of this session succeeded, or there was none.
    static PATIENT: Cell<bool> = const { Cell::new(true) };
}

/// Why one attempt failed.
enum Failure {
    /// Nobody answers yet; a further attempt may succeed.
    NotThere(String),
    /// A further attempt fails as well.
    Final(SqlError),
}

/// Opens a session with the engine, starting its supervisor if there is none.
pub fn connect() -> Result<Connection> {
    let timeout = guc::connect_timeout();
    let result = if PATIENT.get() { connect_within(timeout) } else { connect_within(timeout.min(IMPATIENT_TIMEOUT)) };
    PATIENT.set(result.is_ok());
    result
}

fn connect_within(timeout: Duration) -> Result<Connection> {
    let start = Instant::now();
    let mut supervisor_checked: Option<Instant> = None;
    loop {
        let reason = match attempt(start + timeout) {
            Ok(connection) => return Ok(connection),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::NotThere(reason)) => reason,
        };
        if supervisor_checked.is_none_or(|checked| checked.elapsed() > SUPERVISOR_CHECK) {
            supervisor::ensure_running()?;
            supervisor_checked = Some(Instant::now());
        }
        if start.elapsed() >= timeout {
            return Err(unreachable(reason));
        }
        pg::wait::pause(RETRY_PAUSE);
    }
}

fn unreachable(reason: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::FDW_UNABLE_TO_ESTABLISH_CONNECTION, "could not connect to the fusion engine")
        .with_detail(reason)
        .with_hint("The server log tells why the engine does not run.")
}

fn attempt(deadline: Instant) -> Result<Connection, Failure> {
    let socket = open_socket()?;
    check_peer(&socket)?;
    let hello = FromBackend::Hello(Hello {
        protocol_version: PROTOCOL_VERSION,
        build_id: BUILD_ID.to_owned(),
        database: pg::process::database(),
        pid: pg::process::pid(),
        frames: guc::session_frames(),
    });
    let mut bytes = Vec::new();
    codec::encode(&hello, &mut bytes).map_err(|error| Failure::Final(error.into()))?;
    // A fresh socket's buffer always has room for so short a message.
    match rustix::net::send(&socket, &bytes, SendFlags::NOSIGNAL) {
        Ok(sent) if sent == bytes.len() => receive_welcome(socket, deadline),
        Ok(_) => Err(Failure::NotThere("The engine does not read.".into())),
        Err(errno) => Err(Failure::NotThere(format!("Writing to socket \"{SOCKET_PATH}\" failed: {errno}."))),
    }
}

fn open_socket() -> Result<OwnedFd, Failure> {
    let fatal = |errno: Errno| Failure::Final(unreachable(format!("Opening a socket failed: {errno}.")));
    // The working directory of every server process is the data directory.
    let address = SocketAddrUnix::new(SOCKET_PATH).map_err(fatal)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(fatal)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => Ok(socket),
        Err(errno) => Err(Failure::NotThere(format!("Connecting to socket \"{SOCKET_PATH}\" failed: {errno}."))),
    }
}

fn check_peer(socket: &OwnedFd) -> Result<(), Failure> {
    let peer = rustix::net::sockopt::socket_peercred(socket)
        .map_err(|errno| Failure::Final(unreachable(format!("Asking who listens failed: {errno}."))))?;
    if peer.uid == rustix::process::geteuid() {
        return Ok(());
    }
    Err(Failure::Final(unreachable(format!(
        "The process that listens on \"{SOCKET_PATH}\" belongs to operating-system user {}, not to the server's.",
        peer.uid.as_raw()
    ))))
}

fn receive_welcome(socket: OwnedFd, deadline: Instant) -> Result<Connection, Failure> {
    let mut decoder = Decoder::default();
    let mut descriptor = None;
    let mut buffer = [0; 4096];
    loop {
        match segment::receive_with_descriptor(socket.as_fd(), &mut buffer) {
            Ok(Some((0, _))) => return Err(Failure::NotThere("The engine closed the connection.".into())),
            Ok(Some((count, received))) => {
                decoder.push(&buffer[..count]);
                descriptor = received.or(descriptor);
            }
            Ok(None) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Failure::Final(unreachable(
                        "The engine did not answer within fusion.connect_timeout.",
                    )));
                }
                pg::wait::socket(socket.as_raw_fd(), false, left);
            }
            Err(error) => return Err(Failure::NotThere(format!("Reading from the engine failed: {error}."))),
        }
        match decoder.take::<FromEngine>() {
            Ok(None) => {}
            Ok(Some(FromEngine::Welcome { frames, .. })) => {
                let segment = descriptor
                    .ok_or(fusion_proto::Error::Segment("the engine sent no descriptor"))
                    .and_then(|descriptor| Segment::attach(descriptor, frames))
                    .map_err(|error| Failure::Final(error.into()))?;
                return Ok(Connection::new(socket, segment, decoder));
            }
            Ok(Some(FromEngine::Refused(error))) => return Err(Failure::Final(refused(error))),
            Ok(Some(_)) => return Err(Failure::Final(broken("unexpected first message"))),
            Err(error) => return Err(Failure::Final(broken(error))),
        }
    }
}

/// A refusal that says nothing of what to do is mostly an old engine beside a new library.
fn refused(error: SqlError) -> SqlError {
    if error.hint.is_some() {
        return error;
    }
    error.with_hint("If pg_fusion was upgraded while the server ran, restart the server.")
}

fn broken(why: impl std::fmt::Display) -> SqlError {
    SqlError::new(SqlState::PROTOCOL_VIOLATION, "the fusion engine broke the protocol at the handshake")
        .with_detail(format!("Error: {why}."))
        .with_hint("If pg_fusion was upgraded while the server ran, restart the server.")
}
