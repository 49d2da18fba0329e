//! One viewer of several channels: the body of a response that carries the parts of all of them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::viewer::Viewer;
use crate::chunks::Chunks;

/// Several viewers that share one response. Each gives the newest part of its channel, and they take turns: a channel
/// with many parts, or a client that reads slowly, does not keep the other channels' parts from being sent.
///
/// hyper asks for each part, so a part costs more than one of a single channel, which goes straight to the socket.
pub struct Merged {
    /// None when it was given.
    opening: Option<Bytes>,
    /// Empty when it was given.
    closing: Bytes,
    /// None are left when the response is over.
    viewers: Vec<Viewer>,
    /// Which of them is asked first.
    next: usize,
}

impl Merged {
    /// Send the opening, then the parts of these viewers, and then the closing bytes. The viewers have none of their own.
    pub(super) fn new(opening: Bytes, closing: Bytes, viewers: Vec<Viewer>) -> Self {
        Self { opening: Some(opening), closing, viewers, next: 0 }
    }

    /// The end of the stream, with the closing bytes unless the client was sent no part. It comes with the first channel
    /// that ends: the client comes back, and would not otherwise learn that nothing more comes from that channel.
    fn end(&mut self) -> Option<io::Result<Frame<Chunks>>> {
        self.viewers.clear();
        let closing = std::mem::take(&mut self.closing);
        let is_due = self.opening.is_none() && !closing.is_empty();
        is_due.then(|| Ok(Frame::data(closing.into())))
    }
}

impl Body for Merged {
    type Data = Chunks;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Chunks>>>> {
        let count = self.viewers.len();
        if count == 0 {
            return Poll::Ready(self.end());
        }
        for index in (self.next..count).chain(0..self.next) {
            let Some(viewer) = self.viewers.get_mut(index) else { continue };
            let Poll::Ready(given) = Pin::new(viewer).poll_frame(context) else { continue };
            let Some(frame) = given else { return Poll::Ready(self.end()) };
            self.next = (index + 1) % count;
            let opening = self.opening.take().unwrap_or_default();
            return Poll::Ready(Some(frame.map(|frame| frame.map_data(|part| part.after(opening)))));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use bytes::Buf as _;
    use tokio::runtime::Handle;

    use super::super::{Channels, Part, ViewerOptions};
    use super::*;

    /// The next part, as text.
    fn next(viewer: &mut Merged) -> Option<String> {
        match Pin::new(viewer).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(frame) => {
                let mut chunks = frame?.unwrap().into_data().ok()?;
                Some(String::from_utf8(chunks.copy_to_bytes(chunks.remaining()).to_vec()).unwrap())
            }
            Poll::Pending => Some("pending".to_owned()),
        }
    }

    #[tokio::test]
    async fn channels_take_turns_and_the_first_that_ends_ends_the_response() {
        let (channels, mut begun) = Channels::new(2, Handle::current());
        let viewing =
            ViewerOptions { opening: "opening ".into(), closing: "closing".into(), ..ViewerOptions::default() };
        let mut viewer = channels.join_all(&["a".into(), "b".into()], viewing).unwrap();
        let [a, b] = [begun.try_recv().unwrap(), begun.try_recv().unwrap()];
        let (to_a, to_b) = (a.publisher(1), b.publisher(1));
        let push = |to: &super::super::Publisher, text: &'static str| {
            to.push(Part::new(text.into(), Bytes::new(), Bytes::new()));
        };
        assert_eq!(next(&mut viewer).unwrap(), "pending");
        push(&to_a, "a1");
        assert_eq!(next(&mut viewer).unwrap(), "opening a1");
        // One that is pushed to more often is not given twice in a row.
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
    async fn no_channel_is_joined_unless_all_can_be() {
        let (channels, _begun) = Channels::new(1, Handle::current());
        assert!(channels.join_all(&["a".into(), "no name".into()], ViewerOptions::default()).is_err());
        assert!(channels.join_all(&[], ViewerOptions::default()).is_err());
        assert_eq!(channels.count_viewers("a"), 0);
    }
}
