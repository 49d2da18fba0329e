//! What a guest joins for one response: one channel, or several.

use super::merged::MergedViewer;
use super::viewer::Viewer;

/// A viewer of one channel or of several.
pub enum Subscription {
    /// A viewer of one channel.
    Single(Viewer),
    /// A viewer of several channels.
    Merged(MergedViewer),
}
