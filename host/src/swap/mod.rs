//! Decides which guest answers requests, and replaces it while streams run.
//!
//! ```text
//! watched file, SIGHUP, upload ── Candidate ──► check ──► Deployment ──► the current Generation answers
//!                                                 │           │
//!                                 refused: logged, and the    └─ the previous generation finishes its
//!                                 current guest stays            responses, until the drain limit
//! ```
//!
//! From the bottom up:
//!
//! * `probation`: counts the failures among a generation's first requests.
//! * `generation`: the period during which one guest answers requests, and the requests in flight.
//! * `rollback_targets`: the guests that a rollback can return to.
//! * [`counts`]: how often components were replaced, refused and rolled back.
//! * [`report`]: the state of all generations, as the admin listener shows it.
//! * `deployment_state`: which guest is current and which guests drain, without locks or tasks.
//! * `deployment`: the same behind a lock, with the log lines and timers that a change needs.
//! * `drain`: response bodies that end with their generation; `multipart`: the closing delimiter of a stream.
//! * `check`: what a candidate must pass before it serves.
//! * [`active_guest`]: answers requests with the current guest and replaces it.
//! * [`camera_slot`]: the same for a component that belongs to a camera, such as its driver. `first_load`: loads the first
//!   one; [`slot_report`]: which one runs, as the admin listener shows it; [`camera_slots`]: those of all cameras.
//! * [`publishers`]: runs a publisher for each channel; [`workers`]: runs the worker of each generation.
//! * [`watch`]: watches the files of components.
//!
//! This module does not know where requests come from.

pub mod active_guest;
pub mod camera_slot;
pub mod camera_slots;
mod check;
pub mod counts;
mod deployment;
mod deployment_state;
mod drain;
mod first_load;
mod generation;
mod multipart;
mod probation;
pub mod publishers;
pub mod report;
mod rollback_targets;
pub mod slot_report;
pub mod watch;
pub mod workers;

pub use active_guest::ActiveGuest;
pub use camera_slot::{CameraSlot, Opening};
pub use camera_slots::CameraSlots;
pub use check::SwapError;
pub use counts::{Refusal, SwapCounts};
pub use deployment::NoRollbackTarget;
pub use drain::{DrainableBody, ServedBody};
pub use slot_report::SlotReport;
