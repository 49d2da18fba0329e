//! One viewer of several channels, in one response.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::viewer::Viewer;
use crate::buf_list::BufList;

/// Several viewers whose parts form one stream. They take turns, so neither a channel with many parts nor a slow client
/// keeps another channel's parts from being sent.
pub struct MergedViewer {
    /// `None` once sent.
    opening: Option<Bytes>,
    /// Empty once sent.
    closing: Bytes,
    /// Empty once the stream is over.
    viewers: Vec<Viewer>,
    /// The index of the viewer to poll first.
    next: usize,
}

impl MergedViewer {
    /// Merges these viewers, which have no opening or closing bytes themselves.
    pub(super) fn new(opening: Bytes, closing: Bytes, viewers: Vec<Viewer>) -> Self {
        Self { opening: Some(opening), closing, viewers, next: 0 }
    }

    /// Waits for the next bytes to send, like [`Viewer::poll_next`]. The stream ends with the first channel that ends:
    /// the client then reconnects, and would not learn otherwise that this channel sends nothing more.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<BufList>> {
        let count = self.viewers.len();
        if count == 0 {
            return Poll::Ready(self.end());
        }
        for index in (self.next..count).chain(0..self.next) {
            let Some(viewer) = self.viewers.get_mut(index) else { continue };
            let Poll::Ready(part) = viewer.poll_next(context) else { continue };
            let Some(part) = part else { return Poll::Ready(self.end()) };
            self.next = (index + 1) % count;
            let opening = self.opening.take().unwrap_or_default();
            return Poll::Ready(Some(part.prepend(opening)));
        }
        Poll::Pending
    }

    /// Drops the viewers. Returns the closing bytes, unless they or no part were sent.
    fn end(&mut self) -> Option<BufList> {
        self.viewers.clear();
        let closing = std::mem::take(&mut self.closing);
        (self.opening.is_none() && !closing.is_empty()).then(|| closing.into())
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use bytes::Buf as _;

    use super::super::{Channels, Part, Publisher, ViewerOptions};
    use super::*;

    /// Returns the next part as text.
    fn next(viewer: &mut MergedViewer) -> Option<String> {
        match viewer.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(bytes) => {
                let mut bytes = bytes?;
                Some(String::from_utf8(bytes.copy_to_bytes(bytes.remaining()).to_vec()).unwrap())
            }
            Poll::Pending => Some("pending".to_owned()),
        }
    }

    #[tokio::test]
    async fn channels_take_turns_and_the_first_that_ends_ends_the_stream() {
        let (channels, mut new_channels) = Channels::new(2);
        let options =
            ViewerOptions { opening: "opening ".into(), closing: "closing".into(), ..ViewerOptions::default() };
        let mut viewer = channels.join_all(&["a".into(), "b".into()], options).unwrap();
        let [a, b] = [new_channels.try_recv().unwrap(), new_channels.try_recv().unwrap()];
        let (to_a, to_b) = (a.publisher(1), b.publisher(1));
        let push = |to: &Publisher, text: &'static str| {
            to.push(Part::new(text.into(), Bytes::new(), Bytes::new()));
        };
        assert_eq!(next(&mut viewer).unwrap(), "pending");
        push(&to_a, "a1");
        assert_eq!(next(&mut viewer).unwrap(), "opening a1");
        // A channel with more pushes does not get two turns in a row.
        push(&to_a, "a2");
        push(&to_b, "b1");
        push(&to_a, "a3");
        assert_eq!(next(&mut viewer).unwrap(), "b1");
        push(&to_b, "b2");
        assert_eq!(next(&mut viewer).unwrap(), "a3");
        assert_eq!(next(&mut viewer).unwrap(), "b2");
        assert_eq!(next(&mut viewer).unwrap(), "pending");
        a.close();
        assert_eq!(next(&mut viewer).unwrap(), "closing");
        assert_eq!(next(&mut viewer), None);
        assert_eq!((a.viewers(), b.viewers()), (0, 0));
    }

    #[tokio::test]
    async fn no_channel_is_joined_unless_all_can_be_joined() {
        let (channels, _new_channels) = Channels::new(1);
        assert!(channels.join_all(&["a".into(), "no name".into()], ViewerOptions::default()).is_err());
        assert!(channels.join_all(&[], ViewerOptions::default()).is_err());
        assert_eq!(channels.count_viewers("a"), 0);
    }
}
