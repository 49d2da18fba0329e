//! The body of a response that is recorded.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf as _;
use http::Response;
use http_body::{Body, Frame, SizeHint};

use super::recorder::Recording;
use crate::buf_list::BufList;
use crate::http::service_body::ServiceBody;

/// The body of a response that is recorded until the body is dropped.
pub struct RecordedBody {
    body: ServiceBody,
    recording: Recording,
}

impl RecordedBody {
    /// Records a response from now on.
    pub fn wrap(response: Response<ServiceBody>, mut recording: Recording) -> Response<Self> {
        recording.start(&response);
        response.map(|body| Self { body, recording })
    }
}

impl Body for RecordedBody {
    type Data = BufList;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<BufList>, Self::Error>>> {
        let Self { body, recording } = self.get_mut();
        let polled = Pin::new(&mut *body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, |data| data.remaining());
                recording.add_bytes(bytes, matches!(body, ServiceBody::Viewer { .. }));
            }
            // An empty body.
            Poll::Ready(None) => recording.set_first_byte(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
