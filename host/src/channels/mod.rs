//! Channels: a stream's newest part, shared by all its viewers.
//!
//! ```text
//! Publisher ── push ──► Channel: the newest part ──► Viewer, Viewer, Viewer …   each at its own pace
//! ```
//!
//! * [`part`]: one part of a stream.
//! * [`channel`]: the newest part, its publisher, and the number of viewers.
//! * [`viewer`]: one viewer of one channel; [`merged`]: one viewer of several channels; [`subscription`]: either.
//! * [`pacing`]: which parts a viewer is sent.
//! * [`viewer_stats`]: the label and the rate of a viewer; [`channel_totals`]: what all viewers were sent.
//! * [`registry`]: all channels by name, and their limits.
//!
//! This module knows neither where parts come from nor how they are sent: [`http::stream`](crate::http::stream) does
//! that.

pub mod channel;
pub mod channel_totals;
pub mod merged;
pub mod pacing;
pub mod part;
pub mod registry;
pub mod subscription;
pub mod viewer;
pub mod viewer_stats;

pub use channel::{Channel, ChannelId, ChannelState, Publisher};
pub use channel_totals::ChannelReport;
pub use merged::MergedViewer;
pub use pacing::{LONGEST_PAUSE, Pacing};
pub use part::Part;
pub use registry::{Channels, JoinError, OTHER_CHANNELS};
pub use subscription::Subscription;
pub use viewer::{Viewer, ViewerOptions};
