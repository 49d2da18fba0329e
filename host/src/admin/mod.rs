//! The admin listener: seeing and replacing the guest by HTTP, at an address of its own.
//!
//! | | |
//! | --- | --- |
//! | `GET /guest` | the current generation, the guest before it, what is draining, what was refused |
//! | `PUT /guest` | serve by the component in the body; answers as GET, or 422 with the reason |
//! | `POST /guest/rollback` | go back to the guest before the current one; answers as GET, or 409 |
//!
//! All answers are JSON; what went wrong is in `error`: 401 and 403 for those who are not let in, 413 for a component
//! that is too large, 400 or 408 for one that did not arrive (in time), 503 while others are on their way, 429 for those who
//! have tried too many wrong tokens.
//!
//! * [`access`]: who may do that.
//! * [`api`]: doing it; `throttle`: slowing down those who try tokens.

pub mod access;
pub mod api;
mod throttle;

pub use access::{Access, TokenError};
pub use api::Admin;
