//! The body of a viewer's response.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Version};
use http_body::{Body, Frame};

use super::connection::SharedWriter;
use super::fan_out::{FanOut, FanOuts};
use super::lent_writer::LentWriter;
use crate::buf_list::BufList;
use crate::channels::viewer_stats::ViewerStats;
use crate::channels::{MergedViewer, Subscription, Viewer};

/// The body of a response that sends the parts of one channel or of several.
///
/// hyper polls it when the client has taken what came before, so a slow viewer skips parts. After the first part, the
/// body of a single channel's viewer lends its connection to the channel's fan-out, which is cheaper.
pub enum ViewerBody {
    /// The viewer of one channel.
    Single(SingleViewerBody),
    /// The viewer of several channels. hyper sends all of its parts.
    Merged(MergedViewer),
}

/// The body of a response that sends the parts of one channel.
pub struct SingleViewerBody {
    viewer: Viewer,
    lending: Lending,
}

enum Lending {
    /// hyper sends all parts.
    Impossible,
    /// The write half can be lent after the first part.
    Possible { writer: SharedWriter, fan_out: Arc<FanOut> },
    /// The write half is lent. Keeps the fan-out alive, so that viewers who join later share it.
    Lent { writer: SharedWriter, lent: Arc<LentWriter>, _fan_out: Arc<FanOut> },
}

impl ViewerBody {
    /// Returns the statistics of the viewer of one channel. They count what the fan-out sends, which does not pass
    /// through the body.
    pub fn viewer_stats(&self) -> Option<&Arc<ViewerStats>> {
        match self {
            Self::Single(body) => Some(body.viewer.stats()),
            Self::Merged(_) => None,
        }
    }

    /// Creates the body of a viewer's response. `writer` is that of its connection, if it may be lent: see
    /// [`is_chunked`].
    pub fn new(subscription: Subscription, writer: Option<SharedWriter>, fan_outs: &FanOuts) -> Self {
        match subscription {
            Subscription::Single(viewer) => {
                let lending = match writer {
                    Some(writer) => Lending::Possible { writer, fan_out: fan_outs.get(viewer.channel()) },
                    None => Lending::Impossible,
                };
                Self::Single(SingleViewerBody { viewer, lending })
            }
            Subscription::Merged(viewer) => Self::Merged(viewer),
        }
    }
}

/// Returns whether hyper sends a body of unknown length, in a response with these headers to a request of this version,
/// in chunks. The guest's headers can prevent that.
pub fn is_chunked(version: Version, headers: &HeaderMap) -> bool {
    version == Version::HTTP_11 && !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING)
}

impl SingleViewerBody {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<BufList>>> {
        self.try_lend();
        if let Lending::Lent { writer, lent, .. } = &self.lending {
            let result = ready!(lent.poll_finished(context));
            let result = result.map(|write_half| writer.put_back(write_half));
            self.lending = Lending::Impossible;
            result?;
        }
        let next = ready!(self.viewer.poll_next(context));
        if let (Lending::Possible { writer, .. }, Some(_)) = (&self.lending, &next) {
            writer.set_unflushed();
        }
        Poll::Ready(Ok(next))
    }

    /// Lends the write half if hyper has sent the head and the first part.
    fn try_lend(&mut self) {
        let Lending::Possible { writer, fan_out } = &self.lending else { return };
        if !self.viewer.has_started() {
            return;
        }
        let Some(write_half) = writer.take() else { return };
        let Some(pacing) = self.viewer.hand_over() else { return writer.put_back(write_half) };
        let lent = fan_out.lend(write_half, pacing);
        self.lending = Lending::Lent { writer: writer.clone(), lent, _fan_out: fan_out.clone() };
    }
}

impl Drop for SingleViewerBody {
    fn drop(&mut self) {
        if let Lending::Lent { lent, .. } = &self.lending {
            lent.abandon();
        }
    }
}

impl Body for ViewerBody {
    type Data = BufList;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<BufList>>>> {
        let next = match self.get_mut() {
            Self::Single(body) => body.poll_next(context),
            Self::Merged(viewer) => viewer.poll_next(context).map(Ok),
        };
        next.map(|result| result.map(|next| next.map(Frame::data)).transpose())
    }
}
