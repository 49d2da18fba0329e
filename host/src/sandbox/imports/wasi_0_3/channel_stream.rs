//! The stream that a guest receives when it joins a channel.

use std::any::{Any, TypeId};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use wasmtime::component::{Destination, StreamProducer, StreamResult};
use wasmtime::{Result, StoreContextMut};

use crate::buf_list::BufList;
use crate::channels::Subscription;
use crate::sandbox::lifecycle::Lifecycle;

/// A viewer as a stream of what it is sent.
///
/// If the stream becomes the body of a response, the host gets the subscription back, and the parts do not pass through
/// the guest. If the guest reads the stream, it is a viewer like any other: it gets whole parts, the newest each time.
pub(in crate::sandbox) struct ChannelStream {
    subscription: Subscription,
    /// What the guest has not read of the current part.
    rest: BufList,
    /// Whether the guest has read from the stream.
    is_read: bool,
    lifecycle: Lifecycle,
    /// Counts the stream for as long as the guest holds it.
    _count: Arc<()>,
}

impl ChannelStream {
    /// Takes a subscription of an instance in the generation of `lifecycle`. Holds `count` for as long as it exists.
    pub(super) fn new(subscription: Subscription, lifecycle: Lifecycle, count: Arc<()>) -> Self {
        Self { subscription, rest: BufList::default(), is_read: false, lifecycle, _count: count }
    }

    pub(in crate::sandbox) fn into_subscription(self) -> Subscription {
        self.subscription
    }

    /// Waits for the next part. Returns `None` at the end of the stream.
    ///
    /// Once the generation has ended, there are no more parts to wait for. A guest that passes the parts on then waits
    /// with no part half sent, where its response can be ended.
    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Option<BufList>> {
        if self.lifecycle.has_ended() { Poll::Pending } else { self.subscription.poll_next(context) }
    }
}

impl<D: 'static> StreamProducer<D> for ChannelStream {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        let this = self.get_mut();
        this.is_read = true;
        if !this.rest.has_remaining() {
            match this.poll_part(context) {
                Poll::Ready(Some(part)) => this.rest = part,
                Poll::Ready(None) => return Poll::Ready(Ok(StreamResult::Dropped)),
                Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
                Poll::Pending => return Poll::Pending,
            }
        }
        // A read of no bytes asks whether there are any.
        if destination.remaining(store) != Some(0) {
            destination.set_buffer(this.rest.pop().unwrap_or_default());
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }

    fn try_into(this: Pin<Box<Self>>, wanted: TypeId) -> std::result::Result<Box<dyn Any>, Pin<Box<Self>>> {
        // Wasmtime may hold bytes that the guest has not read yet.
        if wanted != TypeId::of::<Self>() || this.is_read {
            return Err(this);
        }
        let this: Box<Self> = Pin::into_inner(this);
        Ok(this)
    }
}
