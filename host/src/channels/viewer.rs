//! One viewer's place in a channel: the body of its response.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::channel::{Channel, Look};
use super::part::Part;
use super::tally::Tally;
use crate::chunks::Chunks;

/// How one viewer wants to watch.
#[derive(Debug, Default)]
pub struct Viewing {
    /// What it is sent first.
    pub opening: Bytes,
    /// The most parts per second; none for as many as there are.
    pub maximal_rate: Option<f64>,
    /// What it is called.
    pub label: String,
}

/// One viewer of a channel. As a response's body it gives the opening, and then the newest part whenever it is asked
/// for more: which is when the socket has taken what came before, so a slow viewer skips parts.
pub struct Viewer {
    channel: Arc<Channel>,
    /// None when it was given.
    opening: Option<Bytes>,
    /// How many pushes there had been at the part that was given last.
    seen: u64,
    /// None for as many parts as there are.
    pace: Option<Pace>,
    tally: Arc<Tally>,
    /// Where the channel has the tally.
    seat: usize,
    /// Where the channel keeps the waker of this viewer's task, and that waker.
    place: Option<(usize, Waker)>,
}

impl Viewer {
    pub(super) fn new(channel: Arc<Channel>, viewing: Viewing) -> Self {
        let tally = Arc::new(Tally::new(viewing.label));
        let seat = channel.enter(tally.clone());
        let pace = viewing.maximal_rate.and_then(Pace::new);
        Self { channel, opening: Some(viewing.opening), seen: 0, pace, tally, seat, place: None }
    }

    /// Have the task that is running woken at each push from now on.
    fn wait(&mut self, context: &mut Context<'_>) {
        // A connection's task stays the same, so this is done once.
        if self.place.as_ref().is_some_and(|(_, waker)| waker.will_wake(context.waker())) {
            return;
        }
        let waker = context.waker().clone();
        let mut waiting = self.channel.waiting();
        match &mut self.place {
            Some((place, known)) => {
                if let Some(kept) = waiting.get_mut(*place) {
                    kept.clone_from(&waker);
                }
                *known = waker;
            }
            None => self.place = Some((waiting.insert(waker.clone()), waker)),
        }
    }

    /// The newest part, if it was not given yet and is due.
    fn take(&mut self) -> Poll<Option<Arc<Part>>> {
        match self.channel.look(self.seen) {
            Look::Nothing => Poll::Pending,
            Look::Closed => Poll::Ready(None),
            Look::Part(part, pushes) => {
                self.seen = pushes;
                if self.pace.as_mut().is_some_and(|pace| !pace.is_due(part.pushed)) {
                    return Poll::Pending;
                }
                self.tally.count(part.pushed);
                Poll::Ready(Some(part))
            }
        }
    }
}

impl Body for Viewer {
    type Data = Chunks;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunks>, Infallible>>> {
        let mut taken = self.take();
        if taken.is_pending() {
            self.wait(context);
            // One that was pushed before it could have woken us.
            taken = self.take();
        }
        let mut chunks = Chunks::default();
        match taken {
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(part)) => {
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
        if let Some((place, _)) = self.place.take() {
            self.channel.waiting().try_remove(place);
        }
        self.channel.leave(self.seat);
    }
}

/// Keeps a rate: which parts a viewer is sent that wants fewer than there are.
struct Pace {
    period: Duration,
    /// When the next one is due; none before the first.
    due: Option<Instant>,
}

impl Pace {
    /// At most this many parts per second. None for what is no rate.
    fn new(rate: f64) -> Option<Self> {
        // At least one a day; beyond, sums with the clock could overflow.
        (rate > 0.0).then(|| Self { period: Duration::from_secs_f64((1.0 / rate).min(86_400.0)), due: None })
    }

    /// Whether a part that was pushed at this moment is to be sent.
    fn is_due(&mut self, pushed: Instant) -> bool {
        let due = self.due.unwrap_or(pushed);
        if pushed < due {
            return false;
        }
        // From when it was due, not from when it came: else 20 of 30 a second would become 15. But what was missed
        // is not made up for.
        self.due = Some((due + self.period).max(pushed));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `count` parts, this long apart, are sent at this rate.
    fn sent(rate: f64, count: u32, apart: Duration) -> usize {
        let mut pace = Pace::new(rate).unwrap();
        let begun = Instant::now();
        (0..count).filter(|number| pace.is_due(begun + apart * *number)).count()
    }

    #[test]
    fn a_rate_is_kept_and_never_exceeded() {
        let thirtieth = Duration::from_nanos(33_333_333);
        for (rate, expected) in [(1.0, 10), (5.0, 50), (10.0, 100), (20.0, 200), (25.0, 250), (30.0, 300), (100.0, 300)]
        {
            let sent = sent(rate, 300, thirtieth);
            assert!(sent.abs_diff(expected) <= 1, "{sent} at {rate}");
        }
    }

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let mut pace = Pace::new(10.0).unwrap();
        let begun = Instant::now();
        assert!(pace.is_due(begun));
        let late = begun + Duration::from_secs(5);
        assert!(pace.is_due(late));
        let burst = (1..10).filter(|number| pace.is_due(late + Duration::from_millis(*number))).count();
        assert!(burst <= 1, "{burst}");
    }

    #[test]
    fn no_rate_is_no_rate() {
        assert!([0.0, -1.0, f64::NAN].into_iter().all(|rate| Pace::new(rate).is_none()));
        assert!([f64::MIN_POSITIVE, f64::INFINITY].into_iter().all(|rate| Pace::new(rate).is_some()));
    }
}
