//! Channels: a stream's newest part, shared by all who watch it.
//!
//! ```text
//! publisher ── push ──► Channel: the newest part ──► Viewer, Viewer, Viewer …   each at its own pace
//! ```
//!
//! * [`part`]: what is sent as one piece.
//! * [`channel`]: the newest part, who publishes it, and who waits for it.
//! * [`viewer`]: one viewer's place in a channel, as the body of a response.
//! * [`merged`]: one viewer's place in several channels.
//! * `wants`: which parts a viewer is to be given.
//! * `fanout`: sending them straight to the sockets of all viewers; `members`: those that one task sends to.
//! * `tally`: what a viewer takes, for those who ask.
//! * [`registry`]: all channels, by name.
//!
//! Nothing in here knows where parts come from.

pub mod channel;
mod fanout;
mod joined;
mod members;
pub mod merged;
mod pacing;
pub mod part;
pub mod registry;
pub mod viewer;
mod viewer_stats;

pub use channel::{Channel, Publisher};
pub use joined::Joined;
pub use part::Part;
pub use registry::{Channels, JoinError};
pub use viewer::{Viewer, ViewerOptions};
