//! The body of a response.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

use super::auth::Lease;
use super::limits::Permit;
use super::stream::ViewerBody;
use crate::buf_list::BufList;
use crate::swap::DrainableBody;

/// The body of a response. The request counts against the limits until its body is dropped.
pub enum ServiceBody {
    /// The guest writes the body.
    Guest {
        /// Boxed because it is much larger than the others.
        body: Box<DrainableBody>,
        /// How long a stream may continue. `None` for other bodies.
        lease: Option<Lease>,
        /// Counts the request.
        _permit: Permit,
    },
    /// A channel's parts are the body.
    Viewer {
        /// The body.
        body: ViewerBody,
        /// How long it may continue.
        lease: Option<Lease>,
        /// Counts the request.
        _permit: Permit,
    },
    /// The host's own text.
    Host(Full<Bytes>),
}

/// The viewer may no longer watch. hyper closes the connection: a proper end would tell the client that the stream is
/// complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the viewer may no longer watch: the user or the token is not valid any more")]
pub struct LeaseEnded;

impl ServiceBody {
    fn poll_lease(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Guest { lease: Some(lease), .. } | Self::Viewer { lease: Some(lease), .. } => {
                lease.poll_ended(context)
            }
            Self::Guest { .. } | Self::Viewer { .. } | Self::Host(_) => Poll::Pending,
        }
    }
}

impl Body for ServiceBody {
    type Data = BufList;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<BufList>, Self::Error>>> {
        let this = self.get_mut();
        if this.poll_lease(context).is_ready() {
            // Dropping the body takes its connection back from the fan-out.
            *this = Self::Host(Full::default());
            return Poll::Ready(Some(Err(LeaseEnded.into())));
        }
        match this {
            Self::Guest { body, .. } => Pin::new(body).poll_frame(context).map_err(Into::into),
            Self::Viewer { body, .. } => Pin::new(body).poll_frame(context).map_err(Into::into),
            Self::Host(body) => Pin::new(body).poll_frame(context).map(|frame| {
                frame.map(|frame| frame.map(|frame| frame.map_data(BufList::from)).map_err(|never| match never {}))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Guest { body, .. } => body.is_end_stream(),
            Self::Viewer { body, .. } => body.is_end_stream(),
            Self::Host(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Guest { body, .. } => body.size_hint(),
            Self::Viewer { body, .. } => body.size_hint(),
            Self::Host(body) => body.size_hint(),
        }
    }
}
