//! Which guest serves, and how it is replaced under live streams.
//!
//! ```text
//! watched file, signal, upload ── Candidate ──► check ──► Generations ──► the current Generation answers
//!                                                 │            │
//!                                         refused: logged,     └─ the one before goes on with what it
//!                                         the current goes on     has begun, until the drain limit
//! ```
//!
//! * [`generations`]: the current guest, the one before it, and going from one to the other.
//! * `standing`: what that is kept in; `generation`: the time in which one guest answers.
//! * `probation`: when a guest is taken back; `fallbacks`: which guest serves then.
//! * `check`: what a candidate has to pass before it serves.
//! * [`response`]: a response under way, which belongs to the generation that began it.
//! * `multipart`: the closing delimiter of a stream that the host ends.
//! * [`publishers`]: who publishes each channel, and how it passes from one generation to the next.
//! * [`watch`]: the guest's file, watched for changes.
//! * [`report`]: all of this at one moment, for a person.
//!
//! Nothing in here knows where requests come from.

mod check;
mod deployment;
mod fallbacks;
mod generation;
pub mod generations;
mod multipart;
mod probation;
pub mod publishers;
pub mod report;
pub mod response;
pub mod watch;

pub use check::SwapError;
pub use generations::Generations;
pub use response::{Served, ServedBody};
