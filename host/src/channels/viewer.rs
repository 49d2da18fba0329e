//! One viewer's place in a channel: the body of its response.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Sleep, sleep_until};

use super::channel::{Channel, Look};
use super::fanout::Loan;
use super::pacing::{LONGEST_PAUSE, Pacing};
use super::part::Part;
use super::viewer_stats::ViewerStats;
use crate::chunks::Chunks;
use crate::http::stream::line::Line;

/// How one viewer wants to watch.
#[derive(Debug, Default)]
pub struct ViewerOptions {
    /// What it is sent first.
    pub opening: Bytes,
    /// What it is sent last, after a whole part.
    pub closing: Bytes,
    /// The most parts per second; none for as many as there are.
    pub maximal_rate: Option<f64>,
    /// What it is called.
    pub label: String,
}

/// One viewer of a channel. As a response's body it gives the opening, and then the newest part whenever it is asked
/// for more: which is when the socket has taken what came before, so a slow viewer skips parts. After a long pause it gives
/// the newest part again. At the end of the stream
/// it gives the closing bytes, after a whole part. When it [may](Self::sends_by), it lends the channel its connection after the first part, and gives no more itself.
pub struct Viewer {
    channel: Arc<Channel>,
    /// None when it was given.
    opening: Option<Bytes>,
    /// Empty when it was given.
    closing: Bytes,
    /// None while the connection is lent, and after.
    wants: Option<Pacing>,
    /// Where the channel has the tally.
    seat: usize,
    /// The connection, if it may be lent.
    line: Option<Line>,
    /// The channel has the connection.
    loan: Option<Arc<Loan>>,
    /// Where the channel keeps the waker of this viewer's task, and that waker.
    place: Option<(usize, Waker)>,
    /// When it last gave a part.
    last_given: Instant,
    /// Done when it has given nothing for too long. Made when it is first waited for, which is never if the connection is
    /// lent.
    resend: Option<Pin<Box<Sleep>>>,
}

impl Viewer {
    pub(super) fn new(channel: Arc<Channel>, viewing: ViewerOptions) -> Self {
        let tally = Arc::new(ViewerStats::new(viewing.label.clone()));
        let seat = channel.enter(tally.clone());
        let wants = Some(Pacing::new(viewing.maximal_rate, tally));
        let ViewerOptions { opening, closing, .. } = viewing;
        Self {
            channel,
            opening: Some(opening),
            closing,
            wants,
            seat,
            line: None,
            loan: None,
            place: None,
            last_given: Instant::now(),
            resend: None,
        }
    }

    /// Let the channel send its parts by this connection, each as one chunk of HTTP/1.1's.
    pub fn sends_by(&mut self, line: Line) {
        self.line = Some(line);
    }

    /// Lend the connection, if there is one and hyper has sent the head and the first part.
    fn lend(&mut self) {
        let (Some(line), None) = (&self.line, &self.opening) else { return };
        let Some(half) = line.take() else { return };
        match (self.channel.fan_out().shard(), self.wants.take()) {
            (Some(shard), Some(wants)) => {
                self.loan = Some(shard.lend(&self.channel, half, wants, self.last_given));
                self.wait_no_more();
            }
            (_, wants) => {
                line.put_back(half);
                self.wants = wants;
                self.line = None;
            }
        }
    }

    /// Wait until the channel has no more for the connection, and give it back to hyper.
    fn poll_loan(&mut self, loan: &Loan, context: &Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(loan.poll_over(context));
        self.loan = None;
        let half = result?;
        if let Some(line) = self.line.take() {
            line.put_back(half);
        }
        Poll::Ready(Ok(()))
    }

    /// The end of the stream: the closing bytes, unless the client was sent no part or has them already.
    fn end(&mut self) -> Option<io::Result<Frame<Chunks>>> {
        let closing = std::mem::take(&mut self.closing);
        let is_due = self.opening.is_none() && !closing.is_empty();
        is_due.then(|| Ok(Frame::data(closing.into())))
    }

    /// Have the task that is running woken at each push from now on.
    fn wait(&mut self, context: &mut Context<'_>) {
        // A connection's task stays the same, so this is done once.
        if self.place.as_ref().is_some_and(|(_, waker)| waker.will_wake(context.waker())) {
            return;
        }
        let waker = context.waker().clone();
        match &mut self.place {
            Some((place, known)) => {
                self.channel.wait_with(*place, &waker);
                *known = waker;
            }
            None => self.place = Some((self.channel.wait(waker.clone()), waker)),
        }
    }

    /// The newest part again, if nothing was given for too long.
    fn poll_resend(&mut self, context: &mut Context<'_>) -> Poll<Option<Arc<Part>>> {
        // Before the first part there is none to give again. And the channel does this where it is lent the connection.
        if self.opening.is_some() || self.line.is_some() {
            return Poll::Pending;
        }
        let due = self.last_given + LONGEST_PAUSE;
        let timer = self.resend.get_or_insert_with(|| Box::pin(sleep_until(due.into())));
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() < due.into() {
                timer.as_mut().reset(due.into());
                continue;
            }
            timer.as_mut().reset((Instant::now() + LONGEST_PAUSE).into());
            if let (Look::Part(part, pushes), Some(wants)) = (self.channel.look(0), &mut self.wants)
                && !part.is_empty()
            {
                wants.instead(pushes);
                return Poll::Ready(Some(part));
            }
        }
        Poll::Pending
    }

    /// The newest part, if it was not given yet and is due.
    fn take(&mut self) -> Poll<Option<Arc<Part>>> {
        // It was lent, and was given back at the end.
        let Some(wants) = &mut self.wants else { return Poll::Ready(None) };
        match self.channel.look(wants.seen()) {
            Look::Closed => Poll::Ready(None),
            Look::Part(part, pushes) if wants.wants(&part, pushes) => {
                wants.count(&part);
                Poll::Ready(Some(part))
            }
            Look::Part(..) | Look::Nothing => Poll::Pending,
        }
    }

    fn wait_no_more(&mut self) {
        if let Some((place, _)) = self.place.take() {
            self.channel.wait_no_more(place);
        }
    }
}

impl Body for Viewer {
    type Data = Chunks;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Chunks>>>> {
        self.lend();
        if let Some(loan) = self.loan.clone() {
            return match ready!(self.poll_loan(&loan, context)) {
                Ok(()) => Poll::Ready(self.end()),
                Err(error) => Poll::Ready(Some(Err(error))),
            };
        }
        let mut taken = self.take();
        if taken.is_pending() {
            self.wait(context);
            // One that was pushed before it could have woken us.
            taken = self.take();
        }
        if taken.is_pending() {
            taken = self.poll_resend(context);
        }
        let mut chunks = Chunks::default();
        match taken {
            Poll::Ready(None) => return Poll::Ready(self.end()),
            Poll::Ready(Some(part)) => {
                self.line.iter().for_each(Line::gives);
                self.last_given = Instant::now();
                self.opening.take().into_iter().for_each(|opening| chunks.push(opening));
                part.pieces.iter().for_each(|piece| chunks.push(piece.clone()));
            }
            // Without the first part, the opening would only make a client believe that there is a picture.
            Poll::Pending => return Poll::Pending,
        }
        Poll::Ready(Some(Ok(Frame::data(chunks))))
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        if let Some(loan) = &self.loan {
            loan.end();
        }
        self.wait_no_more();
        self.channel.leave(self.seat);
    }
}
