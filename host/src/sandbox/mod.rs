//! The sandbox: loads guests, which are WebAssembly components, and runs them within limits.
//!
//! ```text
//! file ── Candidate ── load ──► LoadedGuest ── Invoker::answer(request) ──► Response<GuestBody>
//!                                                  │ an instance in its own Store<GuestState>
//! ```
//!
//! * [`engine`]: the wasmtime engine and its limits; `epoch_ticker`: interrupts guests that compute.
//! * `interfaces`: what a component imports and exports, read without compiling it.
//! * [`compiler`]: compiles in a child process; [`artifact`]: its output; [`cache`]: artifacts on disk.
//! * [`component`]: from a file to a guest that can be called.
//! * [`call`]: one request: an instance and its response; [`error`]: how a call can fail.
//! * [`request_body`], [`response_body`]: the bodies. A response's body owns the instance that writes it.
//! * `running`: a call in progress; [`idle_instances`]: instances that wait for another request.
//! * `state`: the data of one instance's store; [`lifecycle`]: the generation that it belongs to.
//! * `imports`: the host side of the WIT interfaces.
//! * [`template`]: the sources of a new guest.
//!
//! [`crate::swap`] decides which guest serves.

pub mod artifact;
pub mod cache;
pub mod call;
pub mod compiler;
pub mod component;
pub mod engine;
mod epoch_ticker;
pub mod error;
pub mod idle_instances;
mod imports;
mod interfaces;
pub mod lifecycle;
pub mod request_body;
pub mod response_body;
mod running;
mod state;
pub mod template;

pub use call::{GuestResponse, Invoker};
pub use component::{Candidate, LoadError, LoadedGuest, Origin};
pub use engine::{Sandbox, SandboxError};
pub use error::{CallError, Fault};
pub use idle_instances::IdleInstances;
pub use lifecycle::{Lifecycle, Phase};
pub use response_body::GuestBody;
