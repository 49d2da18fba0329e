//! One viewer of one channel.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use tokio::time::{Sleep, sleep_until};

use super::channel::Channel;
use super::pacing::{LONGEST_PAUSE, Pacing};
use super::part::Part;
use super::viewer_stats::ViewerStats;
use crate::buf_list::BufList;

/// The options of one viewer.
#[derive(Debug, Default)]
pub struct ViewerOptions {
    /// The bytes sent before the first part.
    pub opening: Bytes,
    /// The bytes sent after the last part.
    pub closing: Bytes,
    /// The most parts per second. `None` for all parts.
    pub max_rate: Option<f64>,
    /// The label shown in the list of viewers.
    pub label: String,
}

/// A viewer's subscription to a channel. The channel counts the viewer until it is dropped.
///
/// Call [`poll_next`](Self::poll_next) when the client has taken what it was sent before: a slow viewer then skips to
/// the newest part. Alternatively, [`hand_over`](Self::hand_over) lets another task send the parts.
pub struct Viewer {
    channel: Arc<Channel>,
    /// `None` once sent.
    opening: Option<Bytes>,
    /// Empty once sent.
    closing: Bytes,
    stats: Arc<ViewerStats>,
    /// `None` once handed over.
    pacing: Option<Pacing>,
    /// The viewer's key in the channel's list of viewers.
    key: usize,
    /// Completes when the channel has changed. `None` while the viewer does not wait for that.
    changed: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Completes after [`LONGEST_PAUSE`]. `None` until the viewer first waits for a second part.
    resend: Option<Pin<Box<Sleep>>>,
}

impl Viewer {
    pub(super) fn new(channel: Arc<Channel>, options: ViewerOptions) -> Self {
        let ViewerOptions { opening, closing, max_rate, label } = options;
        let stats = Arc::new(ViewerStats::new(label, channel.totals().clone()));
        let key = channel.add_viewer(stats.clone());
        let pacing = Some(Pacing::new(max_rate, stats.clone()));
        Self { channel, opening: Some(opening), closing, stats, pacing, key, changed: None, resend: None }
    }

    /// Returns the channel.
    pub fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// Returns the statistics of this viewer.
    pub fn stats(&self) -> &Arc<ViewerStats> {
        &self.stats
    }

    /// Returns whether the viewer has been sent a part.
    pub fn has_started(&self) -> bool {
        self.opening.is_none()
    }

    /// Waits for the next bytes to send: the newest part if it is due, after the opening if it is the first; the newest
    /// part again after [`LONGEST_PAUSE`]; the closing bytes when the stream ends, unless the viewer was sent no part.
    /// Returns `None` after that.
    ///
    /// The opening waits for the first part: alone, it would make a client believe that there is a picture.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<BufList>> {
        let Some(part) = ready!(self.poll_part(context)) else {
            return Poll::Ready(self.take_closing());
        };
        let opening = self.opening.take().unwrap_or_default();
        self.stats.count_bytes(opening.len() + part.len());
        let mut bytes = BufList::default();
        bytes.push(opening);
        part.pieces().into_iter().for_each(|piece| bytes.push(piece.clone()));
        Poll::Ready(Some(bytes))
    }

    /// Hands the pacing over to the task that sends the parts from now on. The channel still counts the viewer, and
    /// [`poll_next`](Self::poll_next) returns only the closing bytes. Returns `None` if the pacing was handed over
    /// before.
    pub fn hand_over(&mut self) -> Option<Pacing> {
        self.changed = None;
        self.resend = None;
        self.pacing.take()
    }

    fn take_closing(&mut self) -> Option<BufList> {
        let closing = std::mem::take(&mut self.closing);
        if !self.has_started() || closing.is_empty() {
            return None;
        }
        self.stats.count_bytes(closing.len());
        Some(closing.into())
    }

    /// Waits for the next part to send. Returns `None` at the end of the stream, and once the pacing is handed over.
    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Option<Arc<Part>>> {
        let Some(pacing) = &mut self.pacing else { return Poll::Ready(None) };
        loop {
            let state = self.channel.state();
            if let Some(part) = state.newest.filter(|part| pacing.is_due(part, state.number)) {
                pacing.count(&part);
                pacing.set_last_sent(Instant::now());
                self.changed = None;
                return Poll::Ready(Some(part));
            }
            if state.is_closed {
                return Poll::Ready(None);
            }
            let changed = self.changed.get_or_insert_with(|| Box::pin(self.channel.changed_since(state.number)));
            if changed.as_mut().poll(context).is_pending() {
                return self.poll_resend(context);
            }
            self.changed = None;
        }
    }

    /// Waits until nothing was sent for [`LONGEST_PAUSE`], and returns the newest part.
    fn poll_resend(&mut self, context: &mut Context<'_>) -> Poll<Option<Arc<Part>>> {
        let Some(pacing) = self.pacing.as_mut().filter(|_| self.opening.is_none()) else { return Poll::Pending };
        let due = pacing.last_sent() + LONGEST_PAUSE;
        let timer = self.resend.get_or_insert_with(|| Box::pin(sleep_until(due.into())));
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() < due.into() {
                timer.as_mut().reset(due.into());
                continue;
            }
            let now = Instant::now();
            timer.as_mut().reset((now + LONGEST_PAUSE).into());
            let state = self.channel.state();
            if let Some(part) = state.newest.filter(|part| !part.is_empty() && !state.is_closed) {
                pacing.set_seen(state.number);
                pacing.count(&part);
                pacing.set_last_sent(now);
                return Poll::Ready(Some(part));
            }
        }
        Poll::Pending
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.channel.remove_viewer(self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;

    use bytes::Buf as _;

    use super::*;

    fn part(text: &'static str) -> Part {
        Part::new(text.into(), Bytes::new(), Bytes::new())
    }

    fn text(bytes: Option<BufList>) -> Option<String> {
        bytes.map(|mut bytes| String::from_utf8(bytes.copy_to_bytes(bytes.remaining()).to_vec()).unwrap())
    }

    async fn next(viewer: &mut Viewer) -> Option<String> {
        text(poll_fn(|context| viewer.poll_next(context)).await)
    }

    fn is_pending(viewer: &mut Viewer) -> bool {
        viewer.poll_next(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    fn viewer(channel: &Arc<Channel>) -> Viewer {
        let options = ViewerOptions { opening: "opening ".into(), closing: "closing".into(), ..Default::default() };
        Viewer::new(channel.clone(), options)
    }

    #[tokio::test]
    async fn a_viewer_is_sent_the_opening_then_the_newest_part_then_the_closing_bytes() {
        let channel = Arc::new(Channel::new("c".to_owned(), Arc::default()));
        let publisher = channel.publisher(1);
        let mut viewer = viewer(&channel);
        assert!(is_pending(&mut viewer));
        publisher.push(part("1"));
        assert_eq!(next(&mut viewer).await.unwrap(), "opening 1");
        publisher.push(part("2"));
        publisher.push(part("3"));
        assert_eq!(next(&mut viewer).await.unwrap(), "3");
        let waiting =
            tokio::spawn(async move { (next(&mut viewer).await, next(&mut viewer).await, next(&mut viewer).await) });
        tokio::task::yield_now().await;
        publisher.push(part("4"));
        channel.close();
        assert_eq!(waiting.await.unwrap(), (Some("4".to_owned()), Some("closing".to_owned()), None));
        assert_eq!(channel.viewers(), 0);
    }

    #[tokio::test]
    async fn a_viewer_that_was_sent_no_part_is_sent_no_closing_bytes() {
        let channel = Arc::new(Channel::new("c".to_owned(), Arc::default()));
        let mut viewer = viewer(&channel);
        channel.close();
        assert_eq!(next(&mut viewer).await, None);
    }

    #[tokio::test]
    async fn a_viewer_whose_pacing_is_handed_over_is_sent_only_the_closing_bytes() {
        let channel = Arc::new(Channel::new("c".to_owned(), Arc::default()));
        channel.publisher(1).push(part("1"));
        let mut viewer = viewer(&channel);
        assert_eq!(next(&mut viewer).await.unwrap(), "opening 1");
        assert_eq!(viewer.hand_over().unwrap().seen(), 1);
        assert!(viewer.hand_over().is_none());
        assert_eq!(next(&mut viewer).await.unwrap(), "closing");
        assert_eq!(next(&mut viewer).await, None);
        assert_eq!(channel.viewers(), 1);
    }
}
