//! Sending each part straight to the sockets of all viewers, from one task.
//!
//! A viewer's body lends the sending side of its connection ([`line`](crate::line)) once hyper has sent the response's
//! head. From then on a part costs its viewer one system call, and wakes no task of its own. Lines are spread over as
//! many [`Shard`]s as there are processors, each with a task that is woken by each push and offers the newest part to
//! all of its lines, one after the other, without waiting for any:
//!
//! * One that takes the part is done until the next push.
//! * One that takes only some of it gets the rest when it can take more, and then the newest: a part is never cut, and
//!   a slow viewer skips parts. Nobody else waits for it.
//!
//! At the end of the stream the line goes back to the body, for hyper to send the end of the message. A viewer that
//! leaves takes its line away, wherever the task may be: each has a lock of its own, held for one write.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::thread::available_parallelism;

use futures_util::task::AtomicWaker;
use tokio::net::tcp::OwnedWriteHalf;

use super::channel::{Channel, Look};
use super::part::Part;
use super::wants::Wants;

/// How many parts a shard sends before it lets other tasks run: with large parts, a millisecond.
const SLICE: usize = 32;

/// The lines that were lent to one channel.
pub(super) struct FanOut {
    shards: Box<[Arc<Shard>]>,
    /// Counts those who came, who go to one shard after the other.
    came: AtomicUsize,
}

impl FanOut {
    pub(super) fn new() -> Self {
        let count = available_parallelism().map_or(1, usize::from);
        Self { shards: (0..count).map(|_| Arc::default()).collect(), came: AtomicUsize::new(0) }
    }

    /// Where the next line is to be lent. Must be called inside a Tokio runtime.
    pub(super) fn shard(&self) -> Option<&Arc<Shard>> {
        let number = self.came.fetch_add(1, Ordering::Relaxed);
        self.shards.get(number.checked_rem(self.shards.len())?)
    }

    /// There is something new for all lines, or some were taken away.
    pub(super) fn wake(&self) {
        self.shards.iter().for_each(|shard| shard.waker.wake());
    }
}

/// Some of a channel's lines, and the task that sends to them.
#[derive(Default)]
pub(super) struct Shard {
    door: Mutex<Door>,
    /// The task's.
    waker: AtomicWaker,
}

#[derive(Default)]
struct Door {
    /// Those that the task has not seen yet.
    coming: Vec<Arc<Loan>>,
    /// Whether there is a task. It ends when it has no lines left.
    has_task: bool,
}

impl Shard {
    /// Lend a line, to a viewer who was given something by this channel.
    pub(super) fn lend(self: &Arc<Self>, channel: &Arc<Channel>, half: OwnedWriteHalf, wants: Wants) -> Arc<Loan> {
        let seen = wants.seen();
        let lent = Lent { half, wants, unsent: None, lender: Waker::noop().clone() };
        let loan = Arc::new(Loan(Mutex::new(State::Lent(lent))));
        let mut door = self.door();
        door.coming.push(loan.clone());
        if !door.has_task {
            door.has_task = true;
            let mut task = Task { channel: channel.clone(), shard: self.clone(), loans: Vec::new(), next: 0 };
            // The task goes through all lines whenever it is woken, which is what Tokio's budget is to prevent: it
            // gives way by itself.
            let sending = std::future::poll_fn(move |context| task.poll(context));
            tokio::spawn(tokio::task::unconstrained(sending));
        }
        drop(door);
        // A push wakes the task to find the line at the door. One from before that has to be looked for.
        if !matches!(channel.look(seen), Look::Nothing) {
            self.waker.wake();
        }
        loan
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        // Nothing that is done under the lock can leave it half done.
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends to the lines of one shard.
struct Task {
    channel: Arc<Channel>,
    shard: Arc<Shard>,
    loans: Vec<Arc<Loan>>,
    /// Whose turn it is.
    next: usize,
}

impl Task {
    /// Offer the newest part to each line once, from where the last poll ended. Done when there are no lines.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // Before anything is looked at, so that nothing comes unnoticed.
        self.shard.waker.register(context.waker());
        self.loans.append(&mut self.shard.door().coming);
        let newest = self.channel.look(0);
        let mut writes = 0;
        for _ in 0..self.loans.len() {
            if self.next >= self.loans.len() {
                self.next = 0;
            }
            let Some(loan) = self.loans.get(self.next) else { break };
            match loan.poll_send(context, &newest, &mut writes) {
                Poll::Ready(()) => drop(self.loans.swap_remove(self.next)),
                Poll::Pending => self.next += 1,
            }
            if writes >= SLICE {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        let mut door = self.shard.door();
        if self.loans.is_empty() && door.coming.is_empty() {
            door.has_task = false;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// A line that was lent, between its lender and the shard's task.
pub(super) struct Loan(Mutex<State>);

enum State {
    /// The task may write, while it holds the lock.
    Lent(Lent),
    /// The stream is over, and no part was cut; or the client is gone.
    Over(io::Result<OwnedWriteHalf>),
    /// The lender has it again, or has left.
    Returned,
}

impl Loan {
    /// Wait until the stream is over, and take the line back then. Fails if the client is gone.
    pub(super) fn poll_over(&self, context: &Context<'_>) -> Poll<io::Result<OwnedWriteHalf>> {
        let mut state = self.state();
        if let State::Lent(lent) = &mut *state {
            lent.lender.clone_from(context.waker());
            return Poll::Pending;
        }
        match std::mem::replace(&mut *state, State::Returned) {
            State::Over(result) => Poll::Ready(result),
            State::Lent(_) | State::Returned => Poll::Pending,
        }
    }

    /// Close the line, if it was not taken back. The connection ends with it.
    pub(super) fn end(&self) {
        *self.state() = State::Returned;
    }

    /// Send what there is to send and the line takes. Counts the writes. Done when there will be no more.
    fn poll_send(&self, context: &mut Context<'_>, newest: &Look, writes: &mut usize) -> Poll<()> {
        let mut state = self.state();
        let State::Lent(lent) = &mut *state else { return Poll::Ready(()) };
        let result = ready!(lent.poll_send(context, newest, writes));
        if let State::Lent(Lent { half, lender, .. }) = std::mem::replace(&mut *state, State::Returned) {
            *state = State::Over(result.map(|()| half));
            drop(state);
            lender.wake();
        }
        Poll::Ready(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // As above.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lent {
    half: OwnedWriteHalf,
    wants: Wants,
    /// The part that the line has not taken all of, and how much of it the line took.
    unsent: Option<(Arc<Part>, usize)>,
    /// The task of the body that lent it.
    lender: Waker,
}

impl Lent {
    /// Send what there is. Done when the stream is over, or fails; pending when there is nothing, and when the line
    /// takes no more, of which the task will be told.
    fn poll_send(&mut self, context: &mut Context<'_>, newest: &Look, writes: &mut usize) -> Poll<io::Result<()>> {
        loop {
            let (part, sent) = match (&mut self.unsent, newest) {
                (Some((part, sent)), _) if *sent > 0 => (part, sent),
                (_, Look::Closed) => return Poll::Ready(Ok(())),
                // Nothing went out of this one yet, so the newest takes its place.
                (Some((part, sent)), Look::Part(newest, pushes)) if !newest.is_empty() => {
                    self.wants.instead(*pushes);
                    part.clone_from(newest);
                    (part, sent)
                }
                (unsent @ None, Look::Part(newest, pushes)) if self.wants.wants(newest, *pushes) => {
                    let (part, sent) = unsent.insert((newest.clone(), 0));
                    (part, sent)
                }
                (Some((part, sent)), _) => (part, sent),
                (None, _) => return Poll::Pending,
            };
            *writes += 1;
            match part.send(&self.half, *sent) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    if *sent == 0 {
                        self.wants.count(part);
                    }
                    *sent += count;
                    if *sent >= part.chunk_length() {
                        self.unsent = None;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.half.as_ref().poll_write_ready(context))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpStream as StdStream;

    use bytes::Bytes;
    use tokio::net::TcpListener;
    use tokio::task::{spawn_blocking, yield_now};

    use super::super::tally::Tally;
    use super::*;

    /// More than the kernel holds for a client that does not read.
    const LARGE: usize = 16 << 20;

    fn part(letter: u8, length: usize) -> Part {
        Part::new(Bytes::new(), vec![letter; length].into(), Bytes::new())
    }

    async fn lend(channel: &Arc<Channel>) -> (StdStream, Arc<Loan>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_, half) = listener.accept().await.unwrap().0.into_split();
        let wants = Wants::new(None, Arc::new(Tally::new(String::new())));
        (client, channel.fan_out().shard().unwrap().lend(channel, half, wants))
    }

    async fn wait(mut until: impl FnMut() -> bool) {
        while !until() {
            yield_now().await;
        }
    }

    /// The parts of a stream to its end: their letters, and whether they are whole.
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
    async fn a_slow_line_is_sent_the_rest_of_a_part_and_then_the_newest_and_delays_no_other() {
        let channel = Arc::new(Channel::new("c".to_owned()));
        let publisher = channel.publisher(1);
        let (slow, slow_loan) = lend(&channel).await;
        publisher.push(part(b'a', LARGE));
        let is_behind =
            || matches!(&*slow_loan.state(), State::Lent(Lent { unsent: Some((_, sent)), .. }) if *sent > 0);
        wait(is_behind).await;
        let mut fast = lend(&channel).await.0;
        let fast = spawn_blocking(move || {
            // All of the first, as a chunk, and then each as it comes.
            let mut first = vec![0; part(b'a', LARGE).chunk_length()];
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
        // An empty part is none: as a chunk it would be the end.
        publisher.push(part(b'e', 0));
        publisher.push(part(b'f', 7));
        let slow = spawn_blocking(move || parts(slow));
        wait(|| matches!(&*slow_loan.state(), State::Lent(Lent { unsent: None, wants, .. }) if wants.seen() == 6))
            .await;
        channel.close();
        let context = Context::from_waker(Waker::noop());
        wait(|| slow_loan.poll_over(&context).is_ready()).await;
        assert_eq!(slow.await.unwrap(), "af");
    }

    #[tokio::test]
    async fn a_stream_that_ends_cuts_no_part() {
        let channel = Arc::new(Channel::new("c".to_owned()));
        let (client, loan) = lend(&channel).await;
        channel.publisher(1).push(part(b'a', LARGE));
        wait(|| matches!(&*loan.state(), State::Lent(Lent { unsent: Some((_, sent)), .. }) if *sent > 0)).await;
        channel.close();
        let client = spawn_blocking(move || parts(client));
        let context = Context::from_waker(Waker::noop());
        wait(|| loan.poll_over(&context).is_ready()).await;
        assert_eq!(client.await.unwrap(), "a");
    }

    #[tokio::test]
    async fn its_task_ends_with_the_last_line_and_another_begins_with_the_next() {
        let channel = Arc::new(Channel::new("c".to_owned()));
        for _ in 0..3 {
            let (_client, loan) = lend(&channel).await;
            let has_tasks = || channel.fan_out().shards.iter().any(|shard| shard.door().has_task);
            assert!(has_tasks());
            loan.end();
            channel.fan_out().wake();
            wait(|| !has_tasks()).await;
        }
    }
}
