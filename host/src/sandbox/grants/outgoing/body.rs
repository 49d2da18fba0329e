//! Limits on the bodies of outgoing requests and their responses.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tracing::warn;
use wasmtime_wasi_http::{Error, WasiBody};

use super::limits::MAX_BODY_BYTES;
use crate::origin::Origin;

/// The body of a request, up to a size.
pub(super) struct RequestBody {
    body: WasiBody,
    left: u64,
}

impl RequestBody {
    /// Fails at once if the body says that it is too large.
    pub(super) fn new(body: WasiBody) -> Result<Self, Error> {
        if body.size_hint().lower() > MAX_BODY_BYTES {
            return Err(Error::HttpRequestBodySize(Some(MAX_BODY_BYTES)));
        }
        Ok(Self { body, left: MAX_BODY_BYTES })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && !count(&mut self.left, frame)
        {
            return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(MAX_BODY_BYTES)))));
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

/// The body of a response, up to a size and a time. It is received while the guest reads it.
pub(super) struct ResponseBody {
    body: Incoming,
    left: u64,
    between_bytes: Duration,
    /// Runs while the guest waits for bytes.
    pause: Option<Pin<Box<Sleep>>>,
    /// The end of the request's time.
    end: Instant,
    end_timer: Pin<Box<Sleep>>,
    /// For the log.
    origin: Origin,
}

impl ResponseBody {
    pub(super) fn new(body: Incoming, between_bytes: Duration, end: Instant, origin: Origin) -> Self {
        let end_timer = Box::pin(sleep_until(end));
        Self { body, left: MAX_BODY_BYTES, between_bytes, pause: None, end, end_timer, origin }
    }

    fn timed_out(&self) -> Error {
        warn!("a response from {} was ended: it takes too long", self.origin);
        Error::HttpResponseTimeout
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Ok(frame))) => {
                self.pause = None;
                if count(&mut self.left, &frame) {
                    return Poll::Ready(Some(Ok(frame)));
                }
                warn!("a response from {} was ended: its body exceeds {MAX_BODY_BYTES} bytes", self.origin);
                Poll::Ready(Some(Err(Error::HttpResponseBodySize(Some(MAX_BODY_BYTES)))))
            }
            // At the end of the time, the connection ends as well, perhaps a moment before.
            Poll::Ready(Some(Err(_))) if Instant::now() >= self.end => Poll::Ready(Some(Err(self.timed_out()))),
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(Error::HttpResponseIncomplete))),
            Poll::Pending => {
                let between_bytes = self.between_bytes;
                let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(between_bytes)));
                if pause.as_mut().poll(context).is_ready() || self.end_timer.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Some(Err(self.timed_out())));
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Subtracts the length of a frame. Returns whether there was enough left.
fn count(left: &mut u64, frame: &Frame<Bytes>) -> bool {
    let length = frame.data_ref().map_or(0, |data| data.len() as u64);
    match left.checked_sub(length) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    }
}
