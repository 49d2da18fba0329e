//! Sending a channel's parts straight to the sockets of all its viewers.
//!
//! The body of a viewer's response lends its connection's write half once hyper has sent the head and the first part.
//! From then on, a part costs one system call for each viewer, and no task but the fan-out's is woken. Connections are
//! spread over one shard for each processor. The task of a shard is woken by
//!
//! * a push: it offers the newest part to each of its connections in turn, and waits for none;
//! * a socket that accepts bytes again: it sends the rest of the part to that connection only;
//! * a viewer that joins while a part is pushed: it sends it that part.
//!
//! All other viewers join and leave without waking it: it adds or removes them when it wakes next, within a second.
//! Viewers join and leave on another runtime, which could wake the task only with a system call.
//!
//! If a socket accepts only some of a part, the viewer is sent the rest later, and then the newest part: no part is
//! cut, a slow viewer skips parts, and no other viewer waits for it. Once a second the task looks for viewers that were
//! sent nothing for [`LONGEST_PAUSE`](crate::channels::LONGEST_PAUSE), and sends them the newest part again.
//!
//! At the end of the stream the body gets the write half back, and the connection's task ends the response, or hyper
//! does if the request has a body. A body that is dropped takes its connection away at any moment: each connection has
//! its own lock, which the shard holds only while it writes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::available_parallelism;

use tokio::runtime::Handle;
use tokio::task::unconstrained;

use super::lent_writer::LentWriter;
use super::part_sender::PartSender;
use super::shard::Shard;
use super::shard_queue::ShardQueue;
use super::write_half::WriteHalf;
use crate::channels::{Channel, ChannelId, Pacing};

/// The fan-outs of all channels that have viewers.
pub struct FanOuts {
    /// Runs the shards. Must be the runtime that publishers push from: waking a task of another costs a system call.
    runtime: Handle,
    by_channel: Mutex<HashMap<ChannelId, Weak<FanOut>>>,
}

impl FanOuts {
    /// Creates an empty set, whose fan-outs run on `runtime`.
    pub fn new(runtime: Handle) -> Self {
        Self { runtime, by_channel: Mutex::default() }
    }

    /// Returns the fan-out of a channel. It exists until the last reference to it is dropped.
    pub fn get(&self, channel: &Arc<Channel>) -> Arc<FanOut> {
        // No code that runs under the lock can leave the data inconsistent.
        let mut by_channel = self.by_channel.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fan_out) = by_channel.get(&channel.id()).and_then(Weak::upgrade) {
            return fan_out;
        }
        by_channel.retain(|_, fan_out| fan_out.strong_count() > 0);
        let shards = available_parallelism().map_or(1, usize::from);
        let fan_out = Arc::new(FanOut::new(channel.clone(), self.runtime.clone(), shards));
        by_channel.insert(channel.id(), Arc::downgrade(&fan_out));
        fan_out
    }
}

/// Sends one channel's parts to its viewers.
pub struct FanOut {
    channel: Arc<Channel>,
    runtime: Handle,
    first_shard: Arc<ShardQueue<LentWriter>>,
    other_shards: Box<[Arc<ShardQueue<LentWriter>>]>,
    /// Counts connections, to assign them to shards in turn.
    lent: AtomicUsize,
}

impl FanOut {
    fn new(channel: Arc<Channel>, runtime: Handle, shards: usize) -> Self {
        Self {
            channel,
            runtime,
            first_shard: Arc::default(),
            other_shards: (1..shards).map(|_| Arc::default()).collect(),
            lent: AtomicUsize::new(0),
        }
    }

    /// Sends parts through `writer` from now on.
    pub(super) fn lend(&self, writer: WriteHalf, pacing: Pacing) -> Arc<LentWriter> {
        let number = self.lent.fetch_add(1, Ordering::Relaxed) % (self.other_shards.len() + 1);
        let queue = self.other_shards.get(number).unwrap_or(&self.first_shard);
        let seen = pacing.seen();
        let lent = LentWriter::new(PartSender::new(writer, pacing), queue.clone());
        if queue.join(lent.clone()) {
            let shard = Shard::new(self.channel.subscribe(), queue.clone());
            self.runtime.spawn(unconstrained(shard.run()));
        } else if self.channel.has_changed_since(seen) {
            // The push may have come before the viewer had joined. If nothing has changed, the next push wakes the
            // shard.
            queue.wake();
        }
        lent
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, IoSlice, Read as _};
    use std::net::TcpStream as StdStream;
    use std::panic::Location;
    use std::task::{Context, Poll, Waker};
    use std::time::{Duration, Instant};

    use bytes::Bytes;
    use tokio::net::TcpListener;
    use tokio::task::{spawn_blocking, yield_now};

    use super::super::chunk::Chunk;
    use super::super::chunk_file::MIN_VIEWERS;
    use super::super::shard::SLICE;
    use super::super::write_half::Sink;
    use super::*;
    use crate::channels::viewer_stats::ViewerStats;
    use crate::channels::{Channels, LONGEST_PAUSE, Part, ViewerOptions};
    use crate::http::socket::Socket;

    /// How long to wait for something that takes a second at most.
    const DEADLINE: Duration = Duration::from_secs(60);

    /// More than the kernel buffers for a client that does not read.
    const LARGE: usize = 16 << 20;

    fn part(letter: u8, length: usize) -> Part {
        Part::new(Bytes::new(), vec![letter; length].into(), Bytes::new())
    }

    /// A channel, and its fan-out with this many shards.
    fn channel(shards: usize) -> (Arc<Channel>, FanOut) {
        let (channels, mut new_channels) = Channels::new(1);
        let _viewer = channels.join("c", ViewerOptions::default()).unwrap();
        let channel = new_channels.try_recv().unwrap();
        (channel.clone(), FanOut::new(channel, Handle::current(), shards))
    }

    async fn lend(fan_out: &FanOut) -> (StdStream, Arc<LentWriter>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket: Socket = listener.accept().await.unwrap().0.into();
        (client, lend_sink(fan_out, Arc::new(socket)))
    }

    fn lend_sink(fan_out: &FanOut, sink: Arc<dyn Sink>) -> Arc<LentWriter> {
        let pacing = Pacing::new(None, Arc::new(ViewerStats::new(String::new(), Arc::default())));
        fan_out.lend(WriteHalf::new(sink), pacing)
    }

    #[track_caller]
    fn wait_until(mut condition: impl FnMut() -> bool) -> impl Future<Output = ()> {
        let caller = Location::caller();
        async move {
            let deadline = Instant::now() + DEADLINE;
            while !condition() {
                assert!(Instant::now() < deadline, "still waiting at {caller}");
                yield_now().await;
            }
        }
    }

    async fn wait_until_finished(lent: &LentWriter) {
        let context = Context::from_waker(Waker::noop());
        wait_until(|| lent.poll_finished(&context).is_ready()).await;
    }

    /// Reads a stream to its end and returns the letters of its parts. Panics if a part is cut.
    fn parts(mut client: StdStream) -> String {
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).unwrap();
        let mut rest = bytes.as_slice();
        let mut letters = String::new();
        while !rest.is_empty() {
            let line = rest.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap().trim(), 16).unwrap();
            let (chunk, after) = rest[line..].split_at(length);
            assert!(chunk.iter().all(|byte| *byte == chunk[0]));
            letters.push(char::from(chunk[0]));
            rest = after.strip_prefix(b"\r\n").unwrap();
        }
        letters
    }

    #[tokio::test]
    async fn a_slow_viewer_is_sent_the_rest_of_a_part_and_then_the_newest_and_delays_no_other() {
        let (channel, fan_out) = channel(2);
        let publisher = channel.publisher(1);
        let (slow, slow_writer) = lend(&fan_out).await;
        publisher.push(part(b'a', LARGE));
        let is_behind = || slow_writer.is_lent_and(|sender| sender.is_behind());
        wait_until(is_behind).await;
        let mut fast = lend(&fan_out).await.0;
        let fast = spawn_blocking(move || {
            // All of the first part in one chunk, and then each part as it is pushed.
            let mut first = vec![0; Chunk::new(Arc::new(part(b'a', LARGE))).unwrap().len()];
            fast.read_exact(&mut first).unwrap();
            fast
        });
        let mut fast = fast.await.unwrap();
        for letter in *b"bcd" {
            publisher.push(part(letter, 5));
            fast = spawn_blocking(move || {
                let mut chunk = [0; 10];
                fast.read_exact(&mut chunk).unwrap();
                assert_eq!(chunk[3..8], [letter; 5]);
                fast
            })
            .await
            .unwrap();
        }
        assert!(is_behind());
        // An empty part is not sent: an empty chunk would end the response.
        publisher.push(part(b'e', 0));
        publisher.push(part(b'f', 7));
        let slow = spawn_blocking(move || parts(slow));
        wait_until(|| slow_writer.is_lent_and(|sender| sender.is_up_to(6))).await;
        channel.close();
        wait_until_finished(&slow_writer).await;
        assert_eq!(slow.await.unwrap(), "af");
    }

    #[tokio::test]
    async fn a_slow_viewer_among_many_is_sent_the_rest_of_a_part_whose_file_is_gone() {
        let (channel, fan_out) = channel(1);
        let publisher = channel.publisher(1);
        let mut viewers = Vec::new();
        for _ in 0..MIN_VIEWERS {
            viewers.push(lend(&fan_out).await);
        }
        // The shard knows all of them before the next part.
        publisher.push(part(b'a', 1));
        for (_, lent) in &viewers {
            wait_until(|| lent.is_lent_and(|sender| sender.is_up_to(1))).await;
        }
        publisher.push(part(b'b', LARGE));
        for (_, lent) in &viewers {
            wait_until(|| lent.is_lent_and(|sender| sender.is_behind())).await;
        }
        publisher.push(part(b'c', 1));
        let (client, lent) = viewers.swap_remove(0);
        let slow = spawn_blocking(move || parts(client));
        wait_until(|| lent.is_lent_and(|sender| sender.is_up_to(3))).await;
        channel.close();
        wait_until_finished(&lent).await;
        assert_eq!(slow.await.unwrap(), "abc");
    }

    #[tokio::test]
    async fn the_end_of_the_stream_cuts_no_part() {
        let (channel, fan_out) = channel(2);
        let (client, lent) = lend(&fan_out).await;
        channel.publisher(1).push(part(b'a', LARGE));
        wait_until(|| lent.is_lent_and(|sender| sender.is_behind())).await;
        channel.close();
        let client = spawn_blocking(move || parts(client));
        wait_until_finished(&lent).await;
        assert_eq!(client.await.unwrap(), "a");
    }

    #[tokio::test]
    async fn a_shards_task_ends_with_its_last_viewer_and_starts_again_with_the_next() {
        let (_channel, fan_out) = channel(2);
        for _ in 0..3 {
            let (_client, lent) = lend(&fan_out).await;
            let has_tasks = || fan_out.other_shards.iter().chain([&fan_out.first_shard]).any(|queue| queue.has_task());
            assert!(has_tasks());
            lent.abandon();
            wait_until(|| !has_tasks()).await;
        }
    }

    #[tokio::test]
    async fn viewers_that_leave_are_freed_even_if_nothing_is_pushed() {
        let (channel, fan_out) = channel(2);
        let (_client, _stays) = lend(&fan_out).await;
        let have_references =
            |viewers: &[Arc<LentWriter>], count| viewers.iter().all(|lent| Arc::strong_count(lent) == count);
        let mut left = Vec::new();
        for _ in 0..300 {
            let (_client, lent) = lend(&fan_out).await;
            lent.abandon();
            left.push(lent);
        }
        wait_until(|| have_references(&left, 1)).await;
        // Also if others joined before them and stay.
        let mut viewers = Vec::new();
        for _ in 0..100 {
            viewers.push(lend(&fan_out).await);
        }
        let left: Vec<_> = viewers
            .iter()
            .enumerate()
            .filter(|(number, _)| number % 3 != 0)
            .map(|(_, (_, lent))| lent.clone())
            .collect();
        left.iter().for_each(LentWriter::abandon);
        // The test has each of them twice.
        wait_until(|| have_references(&left, 2)).await;
        channel.publisher(1).push(part(b'a', 1));
        for (client, lent) in viewers.iter_mut().step_by(3) {
            let mut chunk = [0; 6];
            client.set_nonblocking(true).unwrap();
            wait_until(|| client.read_exact(&mut chunk).is_ok()).await;
            assert_eq!(&chunk, b"1\r\na\r\n");
            lent.abandon();
        }
    }

    #[tokio::test]
    async fn a_viewer_that_was_sent_nothing_for_too_long_is_sent_the_newest_part_again() {
        // More viewers than fit into one slice.
        let (channel, fan_out) = channel(1);
        let mut viewers = Vec::new();
        for _ in 0..3 * SLICE {
            viewers.push(lend(&fan_out).await);
        }
        channel.publisher(1).push(part(b'a', 1));
        for _ in 0..2 {
            for (client, lent) in &mut viewers {
                client.set_nonblocking(true).unwrap();
                let mut chunk = [0; 6];
                wait_until(|| client.read_exact(&mut chunk).is_ok()).await;
                assert_eq!(&chunk, b"1\r\na\r\n");
                // So that the test does not take as long.
                lent.is_lent_and(|sender| {
                    sender.set_last_sent(Instant::now().checked_sub(LONGEST_PAUSE).unwrap());
                    true
                });
            }
        }
    }

    /// A sink that panics when something is written to it.
    struct PanickingSink;

    impl Sink for PanickingSink {
        fn try_write_vectored(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
            panic!("the test panics")
        }

        fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn shut_down(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Without a restart, the task would end, and the other viewers would get no more parts.
    #[tokio::test]
    async fn a_panic_while_a_part_is_sent_ends_the_stream_of_that_viewer_only() {
        let (channel, fan_out) = channel(1);
        let (mut first, _first) = lend(&fan_out).await;
        let failing = lend_sink(&fan_out, Arc::new(PanickingSink));
        let (mut last, _last) = lend(&fan_out).await;
        let publisher = channel.publisher(1);
        for letter in *b"ab" {
            publisher.push(part(letter, 1));
            for client in [&mut first, &mut last] {
                client.set_nonblocking(true).unwrap();
                let mut chunk = [0; 6];
                wait_until(|| client.read_exact(&mut chunk).is_ok()).await;
                assert_eq!(chunk, [b'1', b'\r', b'\n', letter, b'\r', b'\n']);
            }
        }
        let context = Context::from_waker(Waker::noop());
        assert!(matches!(failing.poll_finished(&context), Poll::Ready(Err(_))));
    }

    #[tokio::test]
    async fn all_viewers_of_a_channel_share_its_fan_out() {
        let fan_outs = FanOuts::new(Handle::current());
        let (first, second) = (channel(1).0, channel(1).0);
        let fan_out = fan_outs.get(&first);
        assert!(Arc::ptr_eq(&fan_out, &fan_outs.get(&first)));
        assert!(!Arc::ptr_eq(&fan_out, &fan_outs.get(&second)));
        drop(fan_out);
        fan_outs.get(&second);
        assert_eq!(fan_outs.by_channel.lock().unwrap().len(), 1);
    }
}
