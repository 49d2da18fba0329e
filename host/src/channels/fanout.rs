//! Sending each part straight to the sockets of all viewers, from one task.
//!
//! A viewer's body lends the sending side of its connection ([`line`](crate::http::stream::line)) once hyper has sent the response's
//! head. From then on a part costs its viewer one system call, and wakes no task of its own. Connections are spread over
//! as many [`Shard`]s as there are processors, each with a task that is woken by
//!
//! * a push: it offers the newest part to all of its connections, one after the other, without waiting for any;
//! * a socket that takes bytes again: it sends the rest of the part to that connection, and looks at no other;
//! * a viewer that comes or leaves: it adds or frees that one.
//!
//! A connection that takes only some of a part gets the rest when it can take more, and then the newest: a part is never
//! cut, and a slow viewer skips parts. Nobody else waits for it. Once a second the task looks for connections that were
//! sent nothing for [`LONGEST_PAUSE`], and sends them the newest part again.
//!
//! At the end of the stream the connection goes back to the body, for hyper to send the end of the message. A viewer that
//! leaves takes its connection away, wherever the task may be: each has a lock of its own, held for one write.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use tokio::runtime::Handle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::channel::{Channel, Look};
use super::members::Members;
use super::pacing::{LONGEST_PAUSE, Pacing};
use super::part::Part;
use crate::http::socket::WriteHalf;

/// How many parts a shard sends before it lets other tasks run: with large parts, a millisecond.
const SLICE: usize = 32;

/// How often a shard looks for viewers that were sent nothing for too long.
const PAUSE_CHECK: Duration = Duration::from_secs(1);

/// The connections that were lent to one channel.
pub(super) struct FanOut {
    shards: Box<[Arc<Shard>]>,
    /// Counts those who came, who go to one shard after the other.
    came: AtomicUsize,
    /// Runs the shards' tasks: the one that publishers push from, since waking a task of another costs a system call.
    runtime: Handle,
}

impl FanOut {
    pub(super) fn new(runtime: Handle) -> Self {
        let count = available_parallelism().map_or(1, usize::from);
        Self { shards: (0..count).map(|_| Arc::default()).collect(), came: AtomicUsize::new(0), runtime }
    }

    /// Where the next connection is to be lent.
    pub(super) fn shard(&self) -> Option<&Arc<Shard>> {
        let number = self.came.fetch_add(1, Ordering::Relaxed);
        self.shards.get(number.checked_rem(self.shards.len())?)
    }

    /// There is something new for all connections.
    pub(super) fn wake(&self) {
        self.shards.iter().for_each(|shard| shard.task.wake());
    }
}

/// Some of a channel's connections, and the task that sends to them.
#[derive(Default)]
pub(super) struct Shard {
    queue: Mutex<Queue>,
    task: AtomicWaker,
}

/// What the task has to look at beside pushes.
#[derive(Default)]
struct Queue {
    joined: Vec<Arc<Loan>>,
    /// Those whose sockets take bytes again.
    writable: Vec<Arc<Loan>>,
    departed: Vec<Arc<Loan>>,
    /// Whether there is a task. It ends when it has no connections left.
    has_task: bool,
}

impl Shard {
    /// Lend a connection, to a viewer who was given something by this channel at this moment.
    pub(super) fn lend(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        half: WriteHalf,
        wants: Pacing,
        last_sent: Instant,
    ) -> Arc<Loan> {
        let lent = Lent { half, wants, unsent: None, last_sent, lender: Waker::noop().clone() };
        let loan =
            Arc::new(Loan { state: Mutex::new(State::Lent(lent)), shard: self.clone(), index: AtomicUsize::new(0) });
        let mut queue = self.queue();
        queue.joined.push(loan.clone());
        if !queue.has_task {
            queue.has_task = true;
            let runtime = &channel.fan_out().runtime;
            // Its clock is that of the runtime in which it is made.
            let _in_runtime = runtime.enter();
            let mut task = Task::new(channel.clone(), self.clone());
            // The task sends to many connections whenever it is woken, which is what Tokio's budget is to prevent: it
            // gives way by itself.
            let sending = std::future::poll_fn(move |context| task.poll(context));
            runtime.spawn(tokio::task::unconstrained(sending));
        }
        drop(queue);
        self.task.wake();
        loan
    }

    fn enqueue(&self, loan: Arc<Loan>, queue: impl FnOnce(&mut Queue) -> &mut Vec<Arc<Loan>>) {
        queue(&mut self.queue()).push(loan);
        self.task.wake();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing that is done under the lock can leave it half done.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends to the connections of one shard.
struct Task {
    channel: Arc<Channel>,
    shard: Arc<Shard>,
    members: Members,
    /// Those that are to be looked at out of turn: they joined, or their sockets take bytes again.
    ready: VecDeque<Arc<Loan>>,
    /// The push that all members are offered, or have been.
    push: u64,
    /// In this round, those that were sent nothing since then get the newest part again.
    resend_before: Option<Instant>,
    /// Made when the task is first polled.
    pause_check: Option<Interval>,
}

impl Task {
    fn new(channel: Arc<Channel>, shard: Arc<Shard>) -> Self {
        Self {
            channel,
            shard,
            members: Members::default(),
            ready: VecDeque::new(),
            push: 0,
            resend_before: None,
            pause_check: None,
        }
    }

    /// Send what there is to send and is taken, up to a slice. Done when there are no members.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // Before anything is looked at, so that nothing comes unnoticed.
        self.shard.task.register(context.waker());
        self.update_members();
        // In this order, so that the part is at least as new as the number says.
        let push = self.channel.pushes();
        let newest = self.channel.look(0);
        if self.is_time_for_pause_check(context) {
            self.resend_before = Instant::now().checked_sub(LONGEST_PAUSE);
            self.members.begin_round();
        } else if self.push != push {
            self.members.begin_round();
        }
        self.push = push;
        let mut offer = Offer { newest: &newest, resend_before: self.resend_before, writes: 0 };
        loop {
            // By turns, so that neither slow viewers nor fast ones have to wait for all of the others.
            let ready = self.ready.pop_front();
            let next = self.members.next();
            if ready.is_none() && next.is_none() {
                break;
            }
            if let Some(loan) = ready {
                self.members.set_blocked(&loan, false);
                self.send(&loan, &mut offer);
            }
            if let Some(loan) = next {
                self.send(&loan, &mut offer);
            }
            if offer.writes >= SLICE {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        self.resend_before = None;
        let mut queue = self.shard.queue();
        if self.members.is_empty() && queue.joined.is_empty() {
            // What is left here has departed or failed, and is in nobody's way.
            *queue = Queue::default();
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Add those that joined, and free those that departed.
    fn update_members(&mut self) {
        let (joined, writable, departed) = {
            let mut queue = self.shard.queue();
            let Queue { joined, writable, departed, .. } = &mut *queue;
            (std::mem::take(joined), std::mem::take(writable), std::mem::take(departed))
        };
        for loan in joined {
            self.members.insert(loan.clone());
            self.ready.push_back(loan);
        }
        self.ready.extend(writable);
        departed.iter().for_each(|loan| self.members.remove(loan));
    }

    fn is_time_for_pause_check(&mut self, context: &mut Context<'_>) -> bool {
        let pause_check = self.pause_check.get_or_insert_with(|| {
            let mut interval = interval(PAUSE_CHECK);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        let mut is_time = false;
        // Until it is pending, so that the task is woken at the next tick.
        while pause_check.poll_tick(context).is_ready() {
            is_time = true;
        }
        is_time
    }

    fn send(&mut self, loan: &Arc<Loan>, offer: &mut Offer<'_>) {
        match loan.send(offer) {
            Progress::UpToDate => {}
            Progress::Blocked => self.members.set_blocked(loan, true),
            Progress::Over => self.members.remove(loan),
        }
    }
}

/// What connections are offered.
struct Offer<'a> {
    newest: &'a Look,
    /// Those that were sent nothing since then get the newest part again.
    resend_before: Option<Instant>,
    /// Counts the writes.
    writes: usize,
}

/// How far a connection has come.
enum Progress {
    /// It has all that it is to have so far.
    UpToDate,
    /// Its socket takes no more. The loan is put into the shard's queue when it does.
    Blocked,
    /// The stream is over, or the client is gone.
    Over,
}

/// A connection that was lent, between its lender and the shard's task.
pub(super) struct Loan {
    state: Mutex<State>,
    shard: Arc<Shard>,
    /// Where it is among the members of the shard's task. Used by that alone.
    pub(super) index: AtomicUsize,
}

enum State {
    /// The task may write, while it holds the lock.
    Lent(Lent),
    /// The stream is over, and no part was cut; or the client is gone.
    Over(io::Result<WriteHalf>),
    /// The lender has it again, or has left.
    Returned,
}

impl Loan {
    /// Wait until the stream is over, and take the connection back then. Fails if the client is gone.
    pub(super) fn poll_over(&self, context: &Context<'_>) -> Poll<io::Result<WriteHalf>> {
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

    /// Give up the connection, if it was not taken back: nobody writes to it any more.
    pub(super) fn end(self: &Arc<Self>) {
        let state = std::mem::replace(&mut *self.state(), State::Returned);
        // Otherwise the task has freed it already.
        if matches!(state, State::Lent(_)) {
            self.shard.enqueue(self.clone(), |queue| &mut queue.departed);
        }
    }

    /// Send what there is to send and the connection takes.
    fn send(self: &Arc<Self>, offer: &mut Offer<'_>) -> Progress {
        let mut state = self.state();
        let State::Lent(lent) = &mut *state else { return Progress::Over };
        let result = match lent.send(self, offer) {
            Ok(Progress::Over) => Ok(()),
            Ok(progress) => return progress,
            Err(error) => Err(error),
        };
        if let State::Lent(Lent { half, lender, .. }) = std::mem::replace(&mut *state, State::Returned) {
            *state = State::Over(result.map(|()| half));
            drop(state);
            lender.wake();
        }
        Progress::Over
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // As above.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the shard's task to look at this connection.
impl Wake for Loan {
    fn wake(self: Arc<Self>) {
        let shard = self.shard.clone();
        shard.enqueue(self, |queue| &mut queue.writable);
    }
}

struct Lent {
    half: WriteHalf,
    wants: Pacing,
    /// The part that the connection has not taken all of, and how much of it it took.
    unsent: Option<(Arc<Part>, usize)>,
    /// When it was last sent a part.
    last_sent: Instant,
    /// The task of the body that lent it.
    lender: Waker,
}

impl Lent {
    /// Send what there is. Fails when the client is gone.
    fn send(&mut self, loan: &Arc<Loan>, offer: &mut Offer<'_>) -> io::Result<Progress> {
        loop {
            let (part, sent) = match (&mut self.unsent, offer.newest) {
                (Some((part, sent)), _) if *sent > 0 => (part, sent),
                (_, Look::Closed) => return Ok(Progress::Over),
                // Nothing went out of this one yet, so the newest takes its place.
                (Some((part, sent)), Look::Part(newest, pushes)) if !newest.is_empty() => {
                    self.wants.instead(*pushes);
                    part.clone_from(newest);
                    (part, sent)
                }
                (unsent @ None, Look::Part(newest, pushes)) if self.wants.wants(newest, *pushes) => {
                    self.last_sent = newest.pushed;
                    let (part, sent) = unsent.insert((newest.clone(), 0));
                    (part, sent)
                }
                (unsent @ None, Look::Part(newest, pushes))
                    if offer.resend_before.is_some_and(|time| self.last_sent <= time) && !newest.is_empty() =>
                {
                    self.wants.instead(*pushes);
                    self.last_sent = Instant::now();
                    let (part, sent) = unsent.insert((newest.clone(), 0));
                    (part, sent)
                }
                (Some((part, sent)), _) => (part, sent),
                (None, _) => return Ok(Progress::UpToDate),
            };
            offer.writes += 1;
            match part.send(&self.half, *sent) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
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
                    let waker = Waker::from(loan.clone());
                    match self.half.poll_write_ready(&mut Context::from_waker(&waker)) {
                        Poll::Ready(result) => result?,
                        Poll::Pending => return Ok(Progress::Blocked),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
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

    use super::super::viewer_stats::ViewerStats;
    use super::*;

    /// More than the kernel holds for a client that does not read.
    const LARGE: usize = 16 << 20;

    fn part(letter: u8, length: usize) -> Part {
        Part::new(Bytes::new(), vec![letter; length].into(), Bytes::new())
    }

    async fn lend(channel: &Arc<Channel>) -> (StdStream, Arc<Loan>) {
        lend_to(channel.fan_out().shard().unwrap(), channel).await
    }

    async fn lend_to(shard: &Arc<Shard>, channel: &Arc<Channel>) -> (StdStream, Arc<Loan>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        let half = WriteHalf::new(Arc::new(listener.accept().await.unwrap().0.into()));
        let wants = Pacing::new(None, Arc::new(ViewerStats::new(String::new())));
        (client, shard.lend(channel, half, wants, Instant::now()))
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
        let channel = Arc::new(Channel::new("c".to_owned(), Handle::current()));
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
        let channel = Arc::new(Channel::new("c".to_owned(), Handle::current()));
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
        let channel = Arc::new(Channel::new("c".to_owned(), Handle::current()));
        for _ in 0..3 {
            let (_client, loan) = lend(&channel).await;
            let has_tasks = || channel.fan_out().shards.iter().any(|shard| shard.queue().has_task);
            assert!(has_tasks());
            loan.end();
            wait(|| !has_tasks()).await;
        }
    }

    #[tokio::test]
    async fn viewers_that_left_are_freed_although_nothing_is_pushed() {
        let channel = Arc::new(Channel::new("c".to_owned(), Handle::current()));
        let (_client, _stays) = lend(&channel).await;
        for _ in 0..300 {
            let (_client, loan) = lend(&channel).await;
            loan.end();
            wait(|| Arc::strong_count(&loan) == 1).await;
        }
        // The same for those that came before any of them left, in whatever order.
        let mut loans = Vec::new();
        for _ in 0..100 {
            loans.push(lend(&channel).await);
        }
        for (_, (_, loan)) in loans.iter().enumerate().filter(|(number, _)| number % 3 != 0) {
            loan.end();
            wait(|| Arc::strong_count(loan) == 1).await;
        }
        channel.publisher(1).push(part(b'a', 1));
        for (client, loan) in loans.iter_mut().step_by(3) {
            let mut chunk = [0; 6];
            client.set_nonblocking(true).unwrap();
            wait(|| client.read_exact(&mut chunk).is_ok()).await;
            assert_eq!(&chunk, b"1\r\na\r\n");
            loan.end();
        }
    }

    #[tokio::test]
    async fn a_viewer_that_was_sent_nothing_for_too_long_gets_the_newest_part_again() {
        let channel = Arc::new(Channel::new("c".to_owned(), Handle::current()));
        // More than one slice.
        let shard = channel.fan_out().shard().unwrap();
        let mut viewers = Vec::new();
        for _ in 0..3 * SLICE {
            viewers.push(lend_to(shard, &channel).await);
        }
        channel.publisher(1).push(part(b'a', 1));
        for _ in 0..2 {
            for (client, loan) in &mut viewers {
                client.set_nonblocking(true).unwrap();
                let mut chunk = [0; 6];
                wait(|| client.read_exact(&mut chunk).is_ok()).await;
                assert_eq!(&chunk, b"1\r\na\r\n");
                // So that the test need not wait for as long.
                if let State::Lent(lent) = &mut *loan.state() {
                    lent.last_sent = Instant::now().checked_sub(LONGEST_PAUSE).unwrap();
                }
            }
        }
    }
}
