//! Sending parts to one viewer through a lent write half.

use std::cell::OnceCell;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::chunk::Chunk;
use super::chunk_file::ChunkFile;
use super::write_half::WriteHalf;
use crate::channels::Pacing;

/// What a shard offers its viewers in one round.
pub(super) struct Offer {
    /// The newest part. `None` if there is none or it is empty.
    pub(super) newest: Option<Arc<Chunk>>,
    /// The newest part in a file, created for the first viewer that is sent it from there.
    pub(super) file: OnceCell<Option<ChunkFile>>,
    /// The number of viewers that the newest part is offered to.
    pub(super) viewers: usize,
    /// The number of the newest part.
    pub(super) number: u64,
    /// Whether the stream is over.
    pub(super) is_closed: bool,
    /// Viewers that were last sent a part before this time are sent the newest part again.
    pub(super) resend_before: Option<Instant>,
}

impl Offer {
    /// Returns the file of a chunk, if it is the newest part, and a file is cheaper than copying it for each viewer.
    fn file(&self, chunk: &Arc<Chunk>) -> Option<&ChunkFile> {
        let file = self.file.get_or_init(|| ChunkFile::new(self.newest.as_ref()?, self.viewers));
        file.as_ref().filter(|file| file.has(chunk))
    }
}

/// The result of [`PartSender::send`].
pub(super) enum Progress {
    /// The viewer has everything it should have so far.
    UpToDate,
    /// The sink accepts no more bytes. The waker is called when it does.
    Blocked,
    /// The stream is over, after a whole chunk.
    Finished,
}

/// Sends parts to one viewer. The parts between the current one and the newest are skipped.
pub(super) struct PartSender {
    writer: WriteHalf,
    pacing: Pacing,
    /// The chunk that is being sent.
    current: Option<Sending>,
}

/// A chunk that is being sent.
struct Sending {
    chunk: Arc<Chunk>,
    /// How many of its bytes the sink has accepted.
    sent: usize,
}

impl PartSender {
    pub(super) fn new(writer: WriteHalf, pacing: Pacing) -> Self {
        Self { writer, pacing, current: None }
    }

    /// Returns the write half, after a whole chunk.
    pub(super) fn into_writer(self) -> WriteHalf {
        self.writer
    }

    /// Sends due parts as far as the sink accepts them. Never cuts a part: the rest of the current one comes first.
    /// Adds the number of writes to `writes`. Calls `waker` only if the sink accepts no more bytes.
    ///
    /// # Errors
    ///
    /// Fails if the client is gone.
    pub(super) fn send(
        &mut self,
        offer: &Offer,
        writes: &mut usize,
        waker: impl Fn() -> Waker,
    ) -> io::Result<Progress> {
        loop {
            if !self.has_begun() {
                self.select(offer);
                if self.current.is_none() && offer.is_closed {
                    return Ok(Progress::Finished);
                }
            }
            let Some(current) = &mut self.current else { return Ok(Progress::UpToDate) };
            *writes += 1;
            match current.try_send(&self.writer, offer, &self.pacing) {
                Ok(true) => self.current = None,
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match self.writer.poll_write_ready(&mut Context::from_waker(&waker())) {
                        Poll::Ready(result) => result?,
                        Poll::Pending => return Ok(Progress::Blocked),
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns whether some bytes of a chunk are sent and others are not.
    fn has_begun(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.sent > 0)
    }

    /// Selects the newest part to be sent, if it is due.
    fn select(&mut self, offer: &Offer) {
        let Some(newest) = &offer.newest else { return };
        let part = newest.part();
        if self.current.is_some() {
            // No byte of that one was sent, so the newest part takes its place.
            self.pacing.set_seen(offer.number);
        } else if self.pacing.is_due(part, offer.number) {
            self.pacing.set_last_sent(part.pushed_at);
        } else if offer.resend_before.is_some_and(|time| self.pacing.last_sent() <= time) {
            self.pacing.set_seen(offer.number);
            self.pacing.set_last_sent(Instant::now());
        } else {
            return;
        }
        self.current = Some(Sending { chunk: newest.clone(), sent: 0 });
    }
}

impl Sending {
    /// Sends as much as the sink accepts. Returns whether everything is sent.
    fn try_send(&mut self, writer: &WriteHalf, offer: &Offer, pacing: &Pacing) -> io::Result<bool> {
        let length = self.chunk.len();
        if self.sent < length {
            // The rest of an earlier part is copied: only the newest one has a file.
            let file = if writer.sends_files() { offer.file(&self.chunk) } else { None };
            let count = match file {
                Some(file) => file.try_send(writer, self.sent)?,
                None => self.chunk.try_write(writer, self.sent)?,
            };
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            if self.sent == 0 {
                pacing.count(self.chunk.part());
            }
            pacing.count_bytes(count);
            self.sent += count;
        }
        if self.sent < length {
            return Ok(false);
        }
        writer.try_flush()?;
        Ok(true)
    }
}

#[cfg(test)]
impl PartSender {
    /// Returns whether some bytes of a chunk are sent and others are not.
    pub(super) fn is_behind(&self) -> bool {
        self.has_begun()
    }

    /// Returns whether everything up to the part with this number was sent or skipped.
    pub(super) fn is_up_to(&self, number: u64) -> bool {
        self.current.is_none() && self.pacing.seen() == number
    }

    /// Pretends that a part was last sent at this time.
    pub(super) fn set_last_sent(&mut self, at: Instant) {
        self.pacing.set_last_sent(at);
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::sync::Mutex;

    use bytes::Bytes;

    use super::super::write_half::Sink;
    use super::*;
    use crate::channels::Part;
    use crate::channels::viewer_stats::ViewerStats;

    /// A sink that buffers, as a TLS session does.
    #[derive(Default)]
    struct BufferingSink(Mutex<Buffers>);

    #[derive(Default)]
    struct Buffers {
        sent: Vec<u8>,
        buffered: Vec<u8>,
        /// How many more bytes the sink accepts.
        window: usize,
        can_flush: bool,
    }

    impl Sink for BufferingSink {
        fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let mut buffers = self.0.lock().unwrap();
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(buffers.window).collect();
            if bytes.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            buffers.window -= bytes.len();
            buffers.buffered.extend(&bytes);
            Ok(bytes.len())
        }

        fn try_flush(&self) -> io::Result<()> {
            let mut buffers = self.0.lock().unwrap();
            if !buffers.can_flush {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let buffered = std::mem::take(&mut buffers.buffered);
            buffers.sent.extend(buffered);
            Ok(())
        }

        fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn shut_down(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn offer(text: &'static str, number: u64) -> Offer {
        let part = Part::new(text.into(), Bytes::new(), Bytes::new());
        Offer {
            newest: Chunk::new(Arc::new(part)).map(Arc::new),
            file: OnceCell::new(),
            viewers: 1,
            number,
            is_closed: false,
            resend_before: None,
        }
    }

    #[test]
    fn a_part_is_sent_and_flushed_completely_before_the_newest_or_the_end() {
        let sink = Arc::new(BufferingSink::default());
        let pacing = Pacing::new(None, Arc::new(ViewerStats::new(String::new(), Arc::default())));
        let mut sender = PartSender::new(WriteHalf::new(sink.clone()), pacing);
        let mut send = |offer: &Offer| sender.send(offer, &mut 0, || Waker::noop().clone()).unwrap();
        let set = |window, can_flush| {
            let mut buffers = sink.0.lock().unwrap();
            (buffers.window, buffers.can_flush) = (window, can_flush);
        };
        // No byte of this part is accepted, so the next takes its place.
        assert!(matches!(send(&offer("skipped", 1)), Progress::Blocked));
        set(4, false);
        assert!(matches!(send(&offer("first", 2)), Progress::Blocked));
        set(100, false);
        assert!(matches!(send(&offer("skipped", 3)), Progress::Blocked));
        assert!(sink.0.lock().unwrap().sent.is_empty(), "not flushed yet");
        let closed = Offer { is_closed: true, ..offer("fourth", 4) };
        assert!(matches!(send(&closed), Progress::Blocked));
        set(100, true);
        assert!(matches!(send(&offer("fourth", 4)), Progress::UpToDate));
        assert!(matches!(send(&Offer { is_closed: true, ..offer("last", 5) }), Progress::Finished));
        assert_eq!(sink.0.lock().unwrap().sent, b"5\r\nfirst\r\n6\r\nfourth\r\n4\r\nlast\r\n");
    }
}
