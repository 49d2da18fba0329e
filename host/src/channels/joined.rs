//! What a guest joined for its response: one channel or several.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame};

use super::merged::Merged;
use super::viewer::Viewer;
use crate::chunks::Chunks;
use crate::http::stream::line::Line;

/// A viewer of one channel or of several, as the body of a response.
pub enum Joined {
    /// Of one channel.
    One(Viewer),
    /// Of several channels.
    Several(Merged),
}

impl Joined {
    /// Let the channel send its parts by this connection, if there is only one.
    pub fn sends_by(&mut self, line: Line) {
        if let Self::One(viewer) = self {
            viewer.sends_by(line);
        }
    }
}

impl Body for Joined {
    type Data = Chunks;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Chunks>>>> {
        match self.get_mut() {
            Self::One(viewer) => Pin::new(viewer).poll_frame(context),
            Self::Several(merged) => Pin::new(merged).poll_frame(context),
        }
    }
}
