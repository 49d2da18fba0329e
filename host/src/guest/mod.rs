//! The guest: a WebAssembly component that is the whole web side, and the sandbox that it runs in.
//!
//! ```text
//! file ── Candidate ── load ──► Loaded ── Caller::answer(request) ──► Response<GuestBody>
//!                                             │ an Instance, in its own Store
//! ```
//!
//! * [`engine`]: the sandbox and its bounds; [`cache`]: what was compiled before.
//! * [`compiler`]: compiling, in a process of its own; [`artifact`]: what comes of it.
//! * [`component`]: from a file to a guest that can be called; what it can reach.
//! * [`call`]: one request: an instance and its answer; [`error`]: what can go wrong.
//! * [`body`]: a response's body, which owns the instance that writes it.
//! * [`request_body`]: a request's body, and the client that sends it.
//! * `running`: the instance at work; `clock`: what interrupts it.
//! * `imports`: what a component imports and exports, known before it is compiled.
//! * [`template`]: a guest of one's own to start from.
//! * [`term`]: the time in which a guest serves, as its instances see it.
//! * [`spares`]: instances that answer more than one request, where the guest allows it.
//! * `instance`, `cameras`, `channels`, `controls`, `generations`, `history`, `instances`, `log`, `bindings`: the host's
//!   side of what guests import.
//!
//! Which guest serves, and how it is replaced, is decided in [`crate::swap`].

pub mod artifact;
mod bindings;
pub mod body;
pub mod cache;
pub mod call;
mod cameras;
mod channels;
mod clock;
pub mod compiler;
pub mod component;
mod controls;
pub mod engine;
pub mod error;
mod generations;
mod history;
mod imports;
mod instance;
mod instances;
mod log;
pub mod request_body;
mod running;
pub mod spares;
pub mod template;
pub mod term;

pub use body::GuestBody;
pub use call::{Answered, Caller};
pub use component::{Candidate, LoadError, Loaded, Origin};
pub use engine::{Sandbox, SandboxError};
pub use error::{CallError, Fault};
pub use spares::Spares;
pub use term::{Stage, Term};
