//! The shared instances of a generation.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use http::Response;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use super::body::SharedBody;
use super::instance::{self, IdleRoom};
use super::mailbox::{LiveRequest, Mailbox, Reply, SharedRequest};
use crate::sandbox::call::error::CallError;
use crate::sandbox::call::guest_body::GuestBody;
use crate::sandbox::call::request_body::BodyMonitor;
use crate::sandbox::call::response_body::ResponseBody;
use crate::sandbox::state::GuestState;

/// The shared instances of a generation. When it is dropped, each ends after its responses in progress.
#[derive(Default)]
pub(in crate::sandbox) struct SharedInstances {
    inner: Mutex<Inner>,
    idle_room: IdleRoom,
}

#[derive(Default)]
struct Inner {
    /// Oldest first. Requests go to the oldest instance with room, so that the others become idle and end.
    mailboxes: Vec<Arc<Mailbox>>,
    is_closed: bool,
}

impl SharedInstances {
    /// Gives no instance any more requests. Each ends after its responses in progress.
    pub(in crate::sandbox) fn close(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        let mailboxes = std::mem::take(&mut inner.mailboxes);
        drop(inner);
        mailboxes.iter().for_each(|mailbox| mailbox.close());
    }

    /// Lets an instance of `service` handle a request: one with room, or a new one in a store from `new_store`. Waits
    /// until the guest has started its response. Dropping the future abandons the response. Must be called inside a
    /// Tokio runtime.
    pub(in crate::sandbox) async fn handle(
        &self,
        service: &ServicePre<GuestState>,
        new_store: impl Fn() -> Store<GuestState>,
        mut request: SharedRequest,
        monitor: &BodyMonitor,
    ) -> Result<Response<ResponseBody>, CallError> {
        loop {
            let (mut live, mut receiver) = match self.admit(request) {
                Ok(admitted) => admitted,
                Err(request) => self.create(service, new_store(), request)?,
            };
            let reply = poll_fn(|context| {
                // A failure of the client takes precedence over whatever the guest makes of it.
                match monitor.poll_error(context) {
                    Some(error) => Poll::Ready(Err(error)),
                    None => Pin::new(&mut receiver).poll(context).map(Ok),
                }
            });
            let reply = reply.await?;
            live.set_answered();
            match reply {
                Ok(Reply::Response(response)) => {
                    live.start();
                    let (head, output) = response.into_parts();
                    let body = SharedBody::new(output, &head.headers, live, monitor.clone());
                    return Ok(Response::from_parts(head, ResponseBody::Guest(GuestBody::Shared(body))));
                }
                // The response no longer needs the instance.
                Ok(Reply::Channel(response)) => {
                    live.start();
                    return Ok(response.map(ResponseBody::Channel));
                }
                Ok(Reply::Failed(error)) => return Err(error),
                Ok(Reply::NotStarted(returned)) => request = returned,
                // The instance has ended while it handled the request.
                Err(_) => return Err(live.mailbox().failure().unwrap_or(CallError::NoResponse)),
            }
        }
    }

    /// Passes a request to an instance with room.
    fn admit(&self, mut request: SharedRequest) -> Result<(LiveRequest, oneshot::Receiver<Reply>), SharedRequest> {
        let mut inner = self.lock();
        inner.mailboxes.retain(|mailbox| !mailbox.is_closed());
        for mailbox in &inner.mailboxes {
            match mailbox.admit(request) {
                Ok(admitted) => return Ok(admitted),
                Err(returned) => request = returned,
            }
        }
        Err(request)
    }

    /// Creates an instance for a request.
    fn create(
        &self,
        service: &ServicePre<GuestState>,
        store: Store<GuestState>,
        request: SharedRequest,
    ) -> Result<(LiveRequest, oneshot::Receiver<Reply>), CallError> {
        let mailbox = Arc::<Mailbox>::default();
        // A new mailbox has room.
        let admitted = mailbox.admit(request).map_err(|_| CallError::NoResponse)?;
        let mut inner = self.lock();
        if inner.is_closed {
            mailbox.close();
        } else {
            inner.mailboxes.push(mailbox.clone());
        }
        drop(inner);
        instance::spawn(store, service.clone(), mailbox, self.idle_room.clone());
        Ok(admitted)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No panic can leave the data inconsistent, so a poisoned lock is safe to use.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SharedInstances {
    fn drop(&mut self) {
        self.close();
    }
}
