//! What a guest joins for one response: one channel, or several.

use std::task::{Context, Poll};

use super::merged::MergedViewer;
use super::viewer::Viewer;
use crate::buf_list::BufList;

/// A viewer of one channel or of several.
pub enum Subscription {
    /// A viewer of one channel.
    Single(Viewer),
    /// A viewer of several channels.
    Merged(MergedViewer),
}

impl Subscription {
    /// Waits for the next bytes to send: [`Viewer::poll_next`] or [`MergedViewer::poll_next`].
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<BufList>> {
        match self {
            Self::Single(viewer) => viewer.poll_next(context),
            Self::Merged(viewer) => viewer.poll_next(context),
        }
    }
}
