//! The session segment: an anonymous shared-memory file of fixed frames, mapped by one backend and the engine.
//!
//! ```text
//! ┌─────────┬─────────┬─────────┬─ ─ ─┬───────────┐
//! │ frame 0 │ frame 1 │ frame 2 │     │ frame n-1 │   FRAME_SIZE bytes each
//! └─────────┴─────────┴─────────┴─ ─ ─┴───────────┘
//! ```
//!
//! Invariants
//! - The file is sealed against resizing before its descriptor leaves the engine, so a mapped frame cannot vanish (no SIGBUS).
//! - A frame has one owner, and only a message moves ownership. Inside a process that is the type [`Frame`]: at most one exists per
//!   frame number, and only while the process owns that frame.
//! - What a frame holds after it arrived is untrusted bytes: the readers of `page_frame` and `tuple_frame` check it.

use crate::error::{Error, Result};
use fusion_common::FrameNumber;
use fusion_common::limits::{FRAME_SIZE, MAX_SESSION_FRAMES, MIN_SESSION_FRAMES};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{Advice, MapFlags, ProtFlags};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Arc;

/// A mapped segment. Frames keep it alive.
#[derive(Debug)]
pub struct Segment {
    /// Start of the mapping, page-aligned; valid for `frames * FRAME_SIZE` bytes until drop.
    base: NonNull<u8>,
    frames: u16,
}

// SAFETY: `base` is only an address; the bytes behind it are reached through `Frame`s, of which one exists per number.
unsafe impl Send for Segment {}
// SAFETY: as above; `&Segment` itself gives no access to the bytes.
unsafe impl Sync for Segment {}

impl Segment {
    /// Makes a segment of `frames` frames; the descriptor is for the peer.
    pub fn create(frames: u16) -> Result<(Arc<Self>, OwnedFd)> {
        if !(MIN_SESSION_FRAMES..=MAX_SESSION_FRAMES).contains(&usize::from(frames)) {
            return Err(Error::Segment("number of frames out of range"));
        }
        let fd = rustix::fs::memfd_create("pg_fusion", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
            .map_err(Error::io("memfd_create"))?;
        rustix::fs::ftruncate(&fd, u64::from(frames) * FRAME_SIZE as u64).map_err(Error::io("ftruncate"))?;
        rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
            .map_err(Error::io("seal"))?;
        Ok((Self::map(&fd, frames)?, fd))
    }

    /// Maps the segment that the engine handed over, after checking its size and seals.
    pub fn attach(fd: OwnedFd, frames: u16) -> Result<Arc<Self>> {
        let size = rustix::fs::fstat(&fd).map_err(Error::io("fstat"))?.st_size;
        if size != i64::from(frames) * FRAME_SIZE as i64 || frames == 0 {
            return Err(Error::Segment("size does not match the number of frames"));
        }
        let seals = rustix::fs::fcntl_get_seals(&fd).map_err(Error::io("read seals"))?;
        if !seals.contains(SealFlags::SHRINK | SealFlags::SEAL) {
            return Err(Error::Segment("not sealed against resizing"));
        }
        Self::map(&fd, frames)
    }

    fn map(fd: &OwnedFd, frames: u16) -> Result<Arc<Self>> {
        let length = usize::from(frames) * FRAME_SIZE;
        // SAFETY: a new shared mapping at an address of the kernel's choice; it replaces nothing.
        let address = unsafe {
            rustix::mm::mmap(std::ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, fd, 0)
        }
        .map_err(Error::io("mmap"))?;
        let base = NonNull::new(address.cast()).ok_or(Error::Segment("mapped at address zero"))?;
        Ok(Arc::new(Self { base, frames }))
    }

    /// Number of frames.
    pub fn frames(&self) -> u16 {
        self.frames
    }

    /// Takes a frame that a message just made ours (or, in the engine, one of a new segment).
    ///
    /// # Safety
    /// No other [`Frame`] of this number exists in this process, and by the messages so far this process owns the frame.
    pub unsafe fn frame(self: &Arc<Self>, number: FrameNumber) -> Result<Frame> {
        if number.0 >= self.frames {
            return Err(Error::Unexpected("frame number out of range"));
        }
        Ok(Frame { segment: Arc::clone(self), number })
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: `base` was mapped with this length, and no Frame is left, since each holds an Arc of us.
        // An error here could only mean a wrong address, and then nothing better can be done.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), usize::from(self.frames) * FRAME_SIZE) };
    }
}

/// A frame that this process owns: exclusive access to its bytes.
#[derive(Debug)]
pub struct Frame {
    segment: Arc<Segment>,
    number: FrameNumber,
}

impl Frame {
    /// Its number, for the message that gives it away. Drop the `Frame` before sending that.
    pub fn number(&self) -> FrameNumber {
        self.number
    }

    /// First byte; valid for `FRAME_SIZE` bytes while this `Frame` lives.
    pub fn as_ptr(&self) -> *mut u8 {
        // SAFETY: number < frames (checked when made), so the offset stays inside the mapping.
        unsafe { self.segment.base.as_ptr().add(usize::from(self.number.0) * FRAME_SIZE) }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: in the mapping, initialised (zero pages at first), and by ownership nobody writes meanwhile.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), FRAME_SIZE) }
    }

    /// Gives its memory back to the system, on both sides; the bytes are zero afterwards.
    pub fn discard(&mut self) -> Result<()> {
        // SAFETY: a part of our own mapping, of whole pages, which by ownership nobody reads or writes meanwhile; that its bytes become zero is what
        // `&mut self` allows.
        unsafe { rustix::mm::madvise(self.as_ptr().cast(), FRAME_SIZE, Advice::LinuxRemove) }
            .map_err(Error::io("madvise"))
    }

    /// The bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`, and `&mut self` is the only access in this process.
        unsafe { std::slice::from_raw_parts_mut(self.as_ptr(), FRAME_SIZE) }
    }
}

/// Sends `bytes` with a descriptor attached; returns how many bytes went out (the descriptor goes with the first).
pub fn send_with_descriptor(socket: BorrowedFd<'_>, bytes: &[u8], descriptor: BorrowedFd<'_>) -> Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor.as_fd()];
    if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(Error::Segment("no room for the descriptor"));
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)
        .map_err(Error::io("sendmsg"))
}

/// Receives bytes, and the descriptor if one came with them. Zero bytes: the peer is gone.
/// `WOULDBLOCK` comes back as `Ok(None)`.
pub fn receive_with_descriptor(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Option<(usize, Option<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received =
        match rustix::net::recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Ok(received) => received,
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => return Ok(None),
            Err(errno) => return Err(Error::io("recvmsg")(errno)),
        };
    let mut descriptor = None;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            descriptor = descriptors.last();
        }
    }
    Ok(Some((received.bytes, descriptor)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn both_sides_see_the_same_bytes() {
        let (ours, fd) = Segment::create(8).unwrap();
        let (a, b) = UnixStream::pair().unwrap();
        send_with_descriptor(a.as_fd(), b"x", fd.as_fd()).unwrap();
        let mut buffer = [0; 8];
        let (count, descriptor) = receive_with_descriptor(b.as_fd(), &mut buffer).unwrap().unwrap();
        assert_eq!(count, 1);
        let theirs = Segment::attach(descriptor.unwrap(), 8).unwrap();
        // SAFETY: the test owns all frames; the two mappings are used one after the other.
        let mut frame = unsafe { ours.frame(FrameNumber(7)) }.unwrap();
        frame.bytes_mut()[FRAME_SIZE - 1] = 42;
        // SAFETY: as above.
        let seen = unsafe { theirs.frame(FrameNumber(7)) }.unwrap();
        assert_eq!(seen.bytes()[FRAME_SIZE - 1], 42);
        // SAFETY: refused before any access.
        assert!(unsafe { theirs.frame(FrameNumber(8)) }.is_err());
    }

    #[test]
    fn a_discarded_frame_is_zero_on_both_sides() {
        let (ours, fd) = Segment::create(8).unwrap();
        let theirs = Segment::attach(fd, 8).unwrap();
        // SAFETY: the test owns all frames; the two mappings are used one after the other.
        let mut frames = [2, 3].map(|number| unsafe { ours.frame(FrameNumber(number)) }.unwrap());
        frames.iter_mut().for_each(|frame| frame.bytes_mut().fill(7));
        frames[0].discard().unwrap();
        // SAFETY: as above.
        let seen = [2, 3].map(|number| unsafe { theirs.frame(FrameNumber(number)) }.unwrap());
        assert!(seen[0].bytes().iter().all(|byte| *byte == 0));
        assert!(seen[1].bytes().iter().all(|byte| *byte == 7));
    }

    #[test]
    fn a_segment_of_another_size_is_refused() {
        let (_, fd) = Segment::create(8).unwrap();
        assert!(matches!(Segment::attach(fd, 9), Err(Error::Segment(_))));
    }

    #[test]
    fn a_segment_cannot_be_resized() {
        let (_keep, fd) = Segment::create(8).unwrap();
        assert!(rustix::fs::ftruncate(&fd, 0).is_err());
    }
}
