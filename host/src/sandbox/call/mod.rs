//! From a request to a response.
//!
//! * `invoker`: creates or reuses an instance, calls it, and waits until it starts its response.
//! * `running_call`: a call in progress.
//! * `request_body`: reads the request body, within limits on slow clients.
//! * `guest_body`: the response body. It owns the instance that writes it, and runs it when the client can take more.
//! * `idle_instances`: instances that wait for another request.
//! * `error`: how a call can fail, with `trapped_functions`: where.

pub(super) mod error;
pub(super) mod guest_body;
pub(super) mod idle_instances;
pub(super) mod invoker;
pub(super) mod request_body;
mod running_call;
mod trapped_functions;
