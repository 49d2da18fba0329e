//! The guest: a WebAssembly component that is the whole web side, and the sandbox that it runs in.
//!
//! ```text
//! file ── Candidate ── load ──► Loaded ── Guest::answer(request) ──► Response<GuestBody>
//!                                             │ a new Instance, in its own Store
//! ```
//!
//! * [`engine`]: the sandbox and its bounds.
//! * [`component`]: from a file to a guest that can be called; what it can reach.
//! * [`call`]: one request: a new instance and its answer; [`error`]: what can go wrong.
//! * [`body`]: a response's body, which owns the instance that writes it.
//! * `running`: the instance at work.
//! * `instance`, `cameras`, `log`, `bindings`: the host's side of what guests import.

mod bindings;
pub mod body;
pub mod call;
mod cameras;
pub mod component;
pub mod engine;
pub mod error;
mod instance;
mod log;
mod running;

pub use body::GuestBody;
pub use call::Guest;
pub use component::{Candidate, LoadError};
pub use engine::{Sandbox, SandboxError};
pub use error::CallError;
