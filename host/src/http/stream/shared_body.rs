//! A response body that can be taken away from hyper.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

/// The body of the response that a connection is sending, shared by hyper and the connection's task.
pub struct SharedBody<B>(Arc<Mutex<Option<B>>>);

/// hyper's share. The body is dropped with it, unless it was taken before.
pub struct HyperBody<B>(SharedBody<B>);

impl<B> SharedBody<B> {
    /// Shares a body with hyper.
    pub fn new(body: B) -> (Self, HyperBody<B>) {
        let shared = Arc::new(Mutex::new(Some(body)));
        (Self(shared.clone()), HyperBody(Self(shared)))
    }

    /// Takes the body away. For hyper, it has ended. Returns `None` if hyper has dropped it.
    pub fn take(&self) -> Option<B> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<B>> {
        // Only one task uses the connection, so nothing waits for this lock. A body that has panicked ends its
        // connection.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> Drop for HyperBody<B> {
    fn drop(&mut self) {
        // Dropped after the lock is released.
        drop(self.0.take());
    }
}

impl<B: Body + Unpin> Body for HyperBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match &mut *self.0.lock() {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().as_ref().map(Body::size_hint).unwrap_or_default()
    }
}
