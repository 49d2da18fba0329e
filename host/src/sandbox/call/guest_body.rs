//! The body of a response that a guest writes.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

use super::error::ResponseAborted;
use super::exclusive_body::ExclusiveBody;
use crate::buf_list::BufList;
use crate::sandbox::shared::body::SharedBody;

/// The body of a response that a guest writes.
pub enum GuestBody {
    /// By an instance that handles this request only.
    Exclusive(ExclusiveBody),
    /// By an instance that handles other requests as well.
    Shared(SharedBody),
}

impl GuestBody {
    /// Whether the guest waits for something. If the last poll returned `Pending`, everything it wrote has been
    /// returned, so a stream is between two parts. False if the guest was interrupted while it computed, which may be
    /// in the middle of a part; then the task is woken when the guest has run again.
    pub fn is_waiting(&self, context: &Context<'_>) -> bool {
        match self {
            Self::Exclusive(body) => body.is_waiting(),
            Self::Shared(body) => body.is_waiting(context),
        }
    }

    /// Whether a camera that the guest reads was removed, so that a stream is to end. The guest of a shared instance
    /// reads cameras for several responses, and finds out by itself.
    pub fn is_camera_removed(&self) -> bool {
        match self {
            Self::Exclusive(body) => body.is_camera_removed(),
            Self::Shared(_) => false,
        }
    }
}

impl Body for GuestBody {
    type Data = BufList;
    type Error = ResponseAborted;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<BufList>, ResponseAborted>>> {
        match self.get_mut() {
            Self::Exclusive(body) => Pin::new(body).poll_frame(context),
            Self::Shared(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Exclusive(body) => body.is_end_stream(),
            Self::Shared(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Exclusive(body) => body.size_hint(),
            Self::Shared(body) => body.size_hint(),
        }
    }
}
