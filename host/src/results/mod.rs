//! Results: what guests have found in the frames of cameras, and the events that follow from them.
//!
//! ```text
//! attach ──► Entries of the camera: the last frames with results ──► Reader, Reader …
//!        └─► Events: when something came into the picture, and when it left
//! ```
//!
//! * [`findings`]: the results of one frame, and their limits.
//! * [`zones`]: where components look for something.
//! * [`entries`]: the frames of one camera that have results, and its zones.
//! * [`events`]: deriving events from boxes.
//! * `camera_results`: the results of one camera, shared by all. [`reader`]: a position in them.
//! * [`registry`]: the results of all cameras.
//!
//! Everything is bounded, in memory, and outlives the instances and generations of guests.

mod camera_results;
pub mod entries;
pub mod events;
pub mod findings;
pub mod reader;
pub mod registry;
pub mod zones;

pub use entries::Entry;
pub use events::{Event, EventChanges};
pub use findings::{BoundingBox, Findings, FindingsError, Number, Text};
pub use reader::Reader;
pub use registry::{AttachError, Results};
pub use zones::{Corner, Zone};
