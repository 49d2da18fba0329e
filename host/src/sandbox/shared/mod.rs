//! Shared instances: each answers several requests at the same time. Guests that export `wasi:http/handler`, which came
//! with WASI 0.3, run like this.
//!
//! ```text
//! Invoker ── SharedInstances ── Mailbox ──► instance (a task with a store) ── call ──► GuestWriter
//!                                                                                         │ Pipe
//!                                                        hyper ◄── SharedBody ◄───────────┘
//! ```
//!
//! * `instances`: the shared instances of a generation; finds one with room for a request, or creates one.
//! * `mailbox`: what an instance and its requests know of each other: the queue, the counters, how the instance failed.
//! * `instance`: the task that runs an instance.
//! * `call`: one request within an instance.
//! * `pipe`: passes what the guest writes to the response, only when the client can take more; `body`: the response
//!   body at its end.

pub(super) mod body;
pub(super) mod call;
mod instance;
pub(super) mod instances;
mod mailbox;
mod pipe;
