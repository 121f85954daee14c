//! Messages on their way to the backend.
//!
//! Whoever has something to say sends it himself, as far as the socket takes it at once, which it nearly always does: handing it to a
//! socket thread costs a wake-up per message, more than the system call. What the socket does not take waits here, and a task of the
//! session sends it when there is room ([`Outbox::run`]).
//!
//! ```text
//!   push: messages ─► pending ─┐ (short lock: also taken under the session's)
//!   flush:                     └─► sending ─► socket   (held during the system call; one at a time, the others leave it to him)
//! ```
//! Invariants
//! - Bytes go out in the order in which their messages were pushed; a message is never cut by another.
//! - Who pushes must flush afterwards, without the session's lock.
//! - Nothing in here waits for the backend: what it does not read is bounded by [`MAX_WAITING_BYTES`], beyond which the session ends.

use crate::error::{Error, Result};
use fusion_common::limits::MAX_MESSAGE_SIZE;
use fusion_proto::codec;
use fusion_proto::message::FromEngine;
use rustix::io::Errno;
use rustix::net::SendFlags;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, OwnedSemaphorePermit};

/// Bytes that may wait for a backend that does not read: the rows too wide for a frame that are allowed to, and many small messages.
pub const MAX_WAITING_BYTES: usize = (super::MAX_QUEUED_WIDE_ROWS + 1) * MAX_MESSAGE_SIZE;

/// Capacity that a buffer keeps, bytes.
const KEPT_CAPACITY: usize = 64 * 1024;

/// See the head of this file.
#[derive(Debug)]
pub struct Outbox {
    socket: OwnedFd,
    pending: Mutex<Pending>,
    sending: Mutex<Sending>,
    /// Bytes that were pushed and are not out.
    waiting: AtomicUsize,
    /// Signalled when the socket takes no more.
    stuck: Notify,
}

/// What was pushed since the last flush.
#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    /// Permits, and the bytes of `bytes` that must be out before they are released.
    permits: Vec<(usize, OwnedSemaphorePermit)>,
}

/// What is being sent.
#[derive(Debug, Default)]
struct Sending {
    bytes: Vec<u8>,
    /// Of `bytes`, those that are out.
    sent: usize,
    permits: Vec<(usize, OwnedSemaphorePermit)>,
    /// The backend is gone.
    lost: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Outbox {
    /// Over a non-blocking socket, another descriptor of which is read elsewhere.
    pub fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            pending: Mutex::default(),
            sending: Mutex::default(),
            waiting: AtomicUsize::new(0),
            stuck: Notify::new(),
        }
    }

    /// Adds messages; they go out at the next [`Self::flush`]. `permit` is released when they are out.
    ///
    /// # Errors
    /// Too much waits already, or a message is larger than one may be (none that the engine makes is).
    pub fn push(&self, messages: &[FromEngine], permit: Option<OwnedSemaphorePermit>) -> Result<()> {
        let mut pending = lock(&self.pending);
        let before = pending.bytes.len();
        for message in messages {
            codec::encode(message, &mut pending.bytes)?;
        }
        let end = pending.bytes.len();
        pending.permits.extend(permit.map(|permit| (end, permit)));
        let waiting = self.waiting.fetch_add(end - before, Ordering::AcqRel) + end - before;
        match waiting {
            0..=MAX_WAITING_BYTES => Ok(()),
            _ => Err(Error::Resources("backend does not read its messages".to_owned())),
        }
    }

    /// Sends what was pushed, as far as the socket takes it. Where somebody else is sending, he sends it.
    pub fn flush(&self) {
        while self.waiting.load(Ordering::Acquire) > 0 {
            let Ok(mut sending) = self.sending.try_lock() else { return };
            if !self.send(&mut sending) {
                self.stuck.notify_one();
                return;
            }
        }
    }

    /// Returns whether nothing waits any more.
    fn send(&self, sending: &mut Sending) -> bool {
        loop {
            if sending.sent == sending.bytes.len() {
                sending.take(&mut lock(&self.pending));
                if sending.bytes.is_empty() {
                    return true;
                }
            }
            let before = sending.sent;
            let is_out = sending.send(&self.socket);
            self.waiting.fetch_sub(sending.sent - before, Ordering::AcqRel);
            if !is_out {
                return false;
            }
        }
    }

    /// Sends what the socket did not take, as soon as it does; ends when the backend is gone. In the context of a runtime with I/O.
    pub async fn run(&self) -> Result<()> {
        loop {
            self.stuck.notified().await;
            // Watched only now: a socket that is always watched wakes its thread whenever the backend has read something.
            let socket = self.socket.try_clone().map_err(Error::io("watch the socket"))?;
            let socket = watch(socket, Interest::WRITABLE)?;
            loop {
                let mut ready = socket.writable().await.map_err(Error::io("wait for the socket"))?;
                if self.send(&mut lock(&self.sending)) {
                    break;
                }
                ready.clear_ready();
            }
            // What was pushed meanwhile.
            self.flush();
            if lock(&self.sending).lost {
                return Ok(());
            }
        }
    }
}

/// Watches a non-blocking socket for one thing, in the context of a runtime with I/O.
pub fn watch(socket: OwnedFd, interest: Interest) -> Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned by the AsyncFd, and nothing takes or replaces it before that is dropped.
    let watched = unsafe { AsyncFd::register_with_interest(socket, interest) };
    watched.map_err(|error| Error::Io("watch the socket", error.into()))
}

impl Sending {
    /// Takes all that was pushed; everything before is out.
    fn take(&mut self, pending: &mut Pending) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
        self.sent = 0;
        std::mem::swap(&mut self.bytes, &mut pending.bytes);
        std::mem::swap(&mut self.permits, &mut pending.permits);
    }

    /// Sends what the socket takes. Returns whether everything is out.
    fn send(&mut self, socket: &OwnedFd) -> bool {
        while let Some(rest) = self.bytes.get(self.sent..).filter(|rest| !rest.is_empty() && !self.lost) {
            match rustix::net::send(socket, rest, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(count) => self.sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                // The reader learns of it, too, and ends the session.
                Err(_) => self.lost = true,
            }
        }
        if self.lost {
            self.sent = self.bytes.len();
        }
        let sent = self.sent;
        self.permits.retain(|(end, _)| *end > sent);
        self.sent == self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fusion_common::QueryId;
    use fusion_proto::codec::Decoder;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    fn pair() -> (Arc<Outbox>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Arc::new(Outbox::new(ours.into())), theirs)
    }

    fn row(bytes: usize) -> FromEngine {
        FromEngine::WideRow { query: QueryId(1), tuple: vec![7; bytes] }
    }

    fn is_empty(outbox: &Outbox) -> bool {
        outbox.waiting.load(Ordering::Acquire) == 0
    }

    fn receive(socket: &mut UnixStream, count: usize) -> usize {
        let (mut decoder, mut buffer, mut received) = (Decoder::default(), vec![0; 65536], 0);
        while received < count {
            let read = socket.read(&mut buffer).unwrap();
            assert!(read > 0);
            decoder.push(&buffer[..read]);
            while let Some(FromEngine::WideRow { tuple, .. }) = decoder.take().unwrap() {
                assert!(tuple.iter().all(|byte| *byte == 7));
                received += 1;
            }
        }
        received
    }

    #[test]
    fn small_messages_go_out_at_once() {
        let (outbox, mut theirs) = pair();
        outbox.push(&[row(10), row(20)], None).unwrap();
        outbox.flush();
        assert!(is_empty(&outbox));
        assert_eq!(receive(&mut theirs, 2), 2);
    }

    #[test]
    fn what_does_not_fit_follows() {
        let (outbox, mut theirs) = pair();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_io().build().unwrap();
        let wide = Arc::new(Semaphore::new(2));
        for _ in 0..2 {
            let permit = Arc::clone(&wide).try_acquire_owned().unwrap();
            outbox.push(&[row(4 << 20)], Some(permit)).unwrap();
            outbox.flush();
        }
        outbox.push(&[row(5)], None).unwrap();
        outbox.flush();
        assert!(!is_empty(&outbox));
        assert_eq!(wide.available_permits(), 0, "not out yet");
        let task = runtime.spawn({
            let outbox = Arc::clone(&outbox);
            async move { outbox.run().await }
        });
        assert_eq!(receive(&mut theirs, 3), 3);
        while !is_empty(&outbox) || wide.available_permits() < 2 {
            std::thread::yield_now();
        }
        task.abort();
    }

    #[test]
    fn a_backend_that_does_not_read_is_given_up() {
        let (outbox, _theirs) = pair();
        let pushed =
            (0..).take_while(|_| outbox.push(&[row(32 << 20)], None).inspect(|()| outbox.flush()).is_ok()).count();
        assert!((4..=8).contains(&pushed), "{pushed}");
    }

    #[test]
    fn a_backend_that_is_gone_is_no_error() {
        let (outbox, theirs) = pair();
        drop(theirs);
        for _ in 0..2 {
            outbox.push(&[row(5)], None).unwrap();
            outbox.flush();
            assert!(is_empty(&outbox));
        }
    }

    #[test]
    fn messages_of_many_threads_stay_whole() {
        let (outbox, mut theirs) = pair();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for size in 0..500 {
                        outbox.push(&[row(size), row(3)], None).unwrap();
                        outbox.flush();
                        while !is_empty(&outbox) {
                            // Nobody runs `run` here.
                            outbox.flush();
                            std::thread::yield_now();
                        }
                    }
                });
            }
            assert_eq!(receive(&mut theirs, 4000), 4000);
        });
    }
}
