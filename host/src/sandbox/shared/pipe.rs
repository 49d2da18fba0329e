//! Passes the body of a response from a shared instance to its client.
//!
//! The instance and the client's connection run in different tasks. The guest's bytes are taken when the connection
//! asks for them, that is, when the socket has accepted everything before. And the guest's write completes only when
//! the connection asks again. So a guest that streams takes its next frame at the moment when the viewer can receive
//! it, and a slow viewer skips frames without any queue.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use wasmtime::StoreContextMut;
use wasmtime::component::{FutureConsumer, Resource, Source, StreamConsumer, StreamResult};
use wasmtime_wasi_http::p3::bindings::http::types::{ErrorCode, Trailers};

use crate::sandbox::call::error::CallError;
use crate::sandbox::state::GuestState;

/// The most bytes taken from a guest at once. Each is copied to memory of the host: one picture, but not all that a
/// guest can allocate.
const MAX_CHUNK: usize = 1 << 20;

/// The body of a response that a guest has started.
pub(super) struct Output {
    pub(super) pipe: Arc<Pipe>,
    /// Tells the guest whether the client was sent everything.
    pub(super) transmitted: tokio::sync::oneshot::Sender<Result<(), ErrorCode>>,
}

/// What the connection gets from a pipe.
pub(super) enum Item {
    Chunk(Bytes),
    /// The guest has finished the body.
    Finished(Option<HeaderMap>),
    /// The guest has reported an error instead of trailers.
    Failed(CallError),
    /// The guest has dropped the body, or its instance has ended.
    Dropped,
}

pub(super) struct Pipe(Mutex<State>);

struct State {
    /// Whether the connection can send more.
    is_wanted: bool,
    /// Whether the guest has written nothing yet. Its first write completes at once, since the head of the response
    /// has room for it. So an instance is done with a short response before the client is.
    is_first: bool,
    chunk: Option<Bytes>,
    /// Whether a write of the guest has not completed.
    is_write_pending: bool,
    /// Whether the guest has closed the stream.
    is_closed: bool,
    /// How the body ended, once the guest has closed the stream.
    end: Option<Item>,
    /// Whether the connection is gone.
    is_abandoned: bool,
    connection: Option<Waker>,
    guest: Option<Waker>,
}

impl Pipe {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            is_wanted: true,
            is_first: true,
            chunk: None,
            is_write_pending: false,
            is_closed: false,
            end: None,
            is_abandoned: false,
            connection: None,
            guest: None,
        })))
    }

    /// Waits for the next bytes, or the end.
    pub(super) fn poll_next(&self, context: &Context<'_>) -> Poll<Item> {
        let mut state = self.lock();
        if let Some(chunk) = state.chunk.take() {
            return Poll::Ready(Item::Chunk(chunk));
        }
        if state.is_closed
            && let Some(end) = state.end.take()
        {
            return Poll::Ready(end);
        }
        state.is_wanted = true;
        state.connection = Some(context.waker().clone());
        let guest = state.guest.take();
        drop(state);
        guest.into_iter().for_each(Waker::wake);
        Poll::Pending
    }

    /// Passes all bytes of a body at once. The guest writes nothing.
    pub(super) fn fill(&self, bytes: Bytes) {
        self.update(|state| {
            state.chunk = Some(bytes);
            state.is_wanted = false;
            state.is_closed = true;
        });
    }

    /// Whether the connection has received everything that the guest has written so far. A guest that has closed the
    /// stream may still owe the trailers.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.lock();
        let has_ended = state.is_closed && state.end.is_some();
        state.chunk.is_none() && !state.is_write_pending && !has_ended
    }

    /// The connection is gone.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.is_abandoned = true;
        let guest = state.guest.take();
        drop(state);
        guest.into_iter().for_each(Waker::wake);
    }

    /// Changes the state, and wakes the connection.
    fn update(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let connection = state.connection.take();
        drop(state);
        connection.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No panic can leave the data inconsistent, so a poisoned lock is safe to use.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes what a guest writes to the stream of a body.
pub(super) struct GuestWriter {
    pipe: Arc<Pipe>,
    /// How many bytes of the current write were taken, while it has not completed.
    taken: usize,
}

impl GuestWriter {
    pub(super) fn new(pipe: Arc<Pipe>) -> Self {
        Self { pipe, taken: 0 }
    }
}

impl StreamConsumer<GuestState> for GuestWriter {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<'_, GuestState>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        let pipe = self.pipe.clone();
        let mut state = pipe.lock();
        let result = if self.taken > 0 {
            // `finish` asks to cancel the write, but its bytes may have been sent.
            if state.is_abandoned {
                Some(StreamResult::Dropped)
            } else if state.is_wanted || finish {
                Some(StreamResult::Completed)
            } else {
                None
            }
        } else if state.is_abandoned {
            Some(StreamResult::Dropped)
        } else if !state.is_wanted {
            finish.then_some(StreamResult::Cancelled)
        } else {
            let bytes = source.remaining();
            let bytes = bytes.get(..bytes.len().min(MAX_CHUNK)).unwrap_or_default();
            let completes = finish || bytes.is_empty() || std::mem::take(&mut state.is_first);
            if !bytes.is_empty() {
                self.taken = bytes.len();
                state.chunk = Some(Bytes::copy_from_slice(bytes));
                state.is_wanted = false;
            }
            completes.then_some(StreamResult::Completed)
        };
        state.is_write_pending = result.is_none();
        if result.is_none() {
            state.guest = Some(context.waker().clone());
        }
        let connection = if state.chunk.is_some() { state.connection.take() } else { None };
        drop(state);
        connection.into_iter().for_each(Waker::wake);
        let Some(result) = result else { return Poll::Pending };
        source.mark_read(std::mem::take(&mut self.taken));
        Poll::Ready(Ok(result))
    }
}

impl Drop for GuestWriter {
    fn drop(&mut self) {
        self.pipe.update(|state| {
            state.is_closed = true;
            state.is_write_pending = false;
        });
    }
}

/// Takes the trailers of a body, which also say whether it is complete.
pub(super) struct TrailersReader {
    pipe: Arc<Pipe>,
}

impl TrailersReader {
    pub(super) fn new(pipe: Arc<Pipe>) -> Self {
        Self { pipe }
    }
}

impl FutureConsumer<GuestState> for TrailersReader {
    type Item = Result<Option<Resource<Trailers>>, ErrorCode>;

    fn poll_consume(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut store: StoreContextMut<'_, GuestState>,
        mut source: Source<'_, Self::Item>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut trailers = None;
        source.read(&mut store, &mut trailers)?;
        let end = match trailers {
            Some(Ok(Some(trailers))) => Item::Finished(Some(store.data_mut().table.delete(trailers)?.into())),
            Some(Ok(None)) => Item::Finished(None),
            Some(Err(code)) => Item::Failed(CallError::error_code(&code)),
            None => Item::Dropped,
        };
        self.pipe.update(|state| state.end = Some(end));
        Poll::Ready(Ok(()))
    }
}

impl Drop for TrailersReader {
    fn drop(&mut self) {
        self.pipe.update(|state| {
            state.end.get_or_insert(Item::Dropped);
        });
    }
}
