//! From a request to a response.
//!
//! * `invoker`: creates or reuses an instance, calls it, and waits until it starts its response.
//! * `running_call`: a call in progress; `deferral`: notes when the host makes its guest yield.
//! * `throttle`: limits how much a worker, or a guest that yields, computes.
//! * `request_body`: reads the request body, within limits on slow clients.
//! * `response_body`: the response body, written by channels or by the guest (`guest_body`), that is, by an instance of
//!   its own (`exclusive_body`) or by a shared one.
//! * `exports`: the publisher and the worker of a guest.
//! * `idle_instances`: instances that wait for another request; `instances`: these and the shared ones.
//! * `error`: how a call can fail, with `trapped_functions`: where.

pub(super) mod deferral;
pub(super) mod error;
pub(super) mod exclusive_body;
pub(super) mod exports;
pub(super) mod guest_body;
pub(super) mod idle_instances;
pub(super) mod instances;
pub(super) mod invoker;
pub(super) mod request_body;
pub(super) mod response_body;
pub(super) mod running_call;
pub(super) mod throttle;
mod trapped_functions;
