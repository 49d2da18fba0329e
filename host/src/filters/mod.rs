//! Filters of cameras: `--camera NAME=SOURCE,filter=FILE`.
//!
//! ```text
//! Camera ── every frame ──► OpenComponentFilter ──► FilterRun (the instance) ──► readers
//!                                 └─ follows the generations of its slot ◄── SIGHUP, --watch, upload
//! ```
//!
//! * `slots`: the filters of all cameras.
//! * `component_filter`: a component as a filter of a camera.

mod component_filter;
mod slots;

pub use component_filter::{ComponentFilter, MAX_FILTER_INSTANCES};
pub use slots::{FilterSlot, FilterSlots};
