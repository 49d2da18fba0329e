//! All channels, by name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::channel::Channel;
use super::channel_totals::{ChannelReport, ChannelTotals};
use super::merged::MergedViewer;
use super::viewer::{Viewer, ViewerOptions};

/// The most channels open at a time, beside those for cameras. Each has a guest instance as its publisher, and a guest
/// that takes channel names from requests must not open one for every name that clients invent.
const CHANNELS: u32 = 64;

/// The channels allowed for each camera. The built-in guest uses one for each of three stream formats with each of two
/// boundaries, one for streams of several cameras, and two for results.
const CHANNELS_PER_CAMERA: u32 = 9;

/// The longest channel name accepted, in bytes.
const NAME_LIMIT: usize = 64;

/// The longest viewer label accepted, in bytes. Enough for a UUID with a prefix.
const LABEL_LIMIT: usize = 64;

/// The name under which channels are reported together once the server has seen as many names as can be open at a time.
/// Guests choose the names, so their number would have no limit. It is not a valid name.
pub const OTHER_CHANNELS: &str = "(other)";

/// Why a channel cannot be joined.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JoinError {
    /// The channel's name is invalid.
    #[error("invalid channel name: use 1 to {} ASCII letters, digits and -_./", NAME_LIMIT)]
    Name,
    /// The limit on open channels, in the field, is reached.
    #[error("too many channels: at most {0} can be open")]
    TooMany(u32),
    /// The viewer's label is too long.
    #[error("label too long: use at most {} bytes", LABEL_LIMIT)]
    Label,
}

#[derive(Default)]
struct OpenChannels {
    by_name: HashMap<String, Arc<Channel>>,
    /// What was sent since the server started, by name.
    totals: HashMap<String, Arc<ChannelTotals>>,
    /// Whether the server is shutting down. Then no channel can be opened.
    is_shut_down: bool,
}

impl OpenChannels {
    /// What counts for channels of this name, if there are at most `limit` names.
    fn totals_of(&mut self, name: &str, limit: usize) -> Arc<ChannelTotals> {
        let is_known = self.totals.contains_key(name);
        let name = if is_known || self.totals.len() < limit { name } else { OTHER_CHANNELS };
        self.totals.entry(name.to_owned()).or_default().clone()
    }
}

/// All open channels. Clones share them.
#[derive(Clone)]
pub struct Channels {
    open: Arc<Mutex<OpenChannels>>,
    new_channels: mpsc::UnboundedSender<Arc<Channel>>,
    limit: u32,
}

impl Channels {
    /// Creates an empty registry for a host with this many cameras. The receiver gets each new channel, and must
    /// publish it and [`end`](Self::end) it. The queue is as short as the limit on channels.
    pub fn new(cameras: usize) -> (Self, mpsc::UnboundedReceiver<Arc<Channel>>) {
        let (new_channels, receiver) = mpsc::unbounded_channel();
        (Self { open: Arc::default(), new_channels, limit: Self::limit(cameras) }, receiver)
    }

    /// Returns the most channels that can be open at a time on a host with this many cameras.
    pub fn limit(cameras: usize) -> u32 {
        let cameras = u32::try_from(cameras).unwrap_or(u32::MAX);
        cameras.saturating_mul(CHANNELS_PER_CAMERA).saturating_add(CHANNELS)
    }

    /// Returns an empty registry that has been shut down, for a guest that does not serve: its viewers are at the end of
    /// their stream at once, and nothing is published.
    pub fn detached(&self) -> Self {
        let open = OpenChannels { is_shut_down: true, ..OpenChannels::default() };
        Self { open: Arc::new(Mutex::new(open)), new_channels: self.new_channels.clone(), limit: self.limit }
    }

    /// Joins the channel with this name as a viewer. Opens the channel if necessary. During shutdown, the viewer is at
    /// the end of its stream at once.
    ///
    /// # Errors
    ///
    /// Fails if the name or the label is invalid, or the limit on channels is reached.
    pub fn join(&self, name: &str, options: ViewerOptions) -> Result<Viewer, JoinError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        if name.is_empty() || name.len() > NAME_LIMIT || !name.bytes().all(is_allowed) {
            return Err(JoinError::Name);
        }
        if options.label.len() > LABEL_LIMIT {
            return Err(JoinError::Label);
        }
        let mut open = self.lock();
        let channel = match open.by_name.get(name) {
            Some(channel) => channel.clone(),
            None if open.by_name.len() >= self.limit as usize => return Err(JoinError::TooMany(self.limit)),
            None => {
                let totals = open.totals_of(name, self.limit as usize);
                let channel = Arc::new(Channel::new(name.to_owned(), totals));
                if open.is_shut_down {
                    channel.close();
                } else {
                    open.by_name.insert(name.to_owned(), channel.clone());
                    // Fails if the server is shutting down.
                    let _ = self.new_channels.send(channel.clone());
                }
                channel
            }
        };
        // Under the lock, so that `end_unwatched` cannot remove the channel in between.
        Ok(Viewer::new(channel, options))
    }

    /// Joins all channels with these names as one viewer. The rate limit applies to each channel.
    ///
    /// # Errors
    ///
    /// Fails without joining any if one of them cannot be joined, if there are no names, or if there are more names
    /// than channels can be open.
    pub fn join_all(&self, names: &[String], options: ViewerOptions) -> Result<MergedViewer, JoinError> {
        if names.is_empty() {
            return Err(JoinError::Name);
        }
        if names.len() > self.limit as usize {
            return Err(JoinError::TooMany(self.limit));
        }
        let ViewerOptions { opening, closing, max_rate, label } = options;
        let join = |name: &String| {
            self.join(name, ViewerOptions { max_rate, label: label.clone(), ..ViewerOptions::default() })
        };
        Ok(MergedViewer::new(opening, closing, names.iter().map(join).collect::<Result<_, _>>()?))
    }

    /// Whether any channel has viewers, or had some a moment ago.
    pub fn is_any_open(&self) -> bool {
        !self.lock().by_name.is_empty()
    }

    /// Returns all channels that are or were open, ordered by name, with what was sent through them. There are at most
    /// as many as can be open at a time, and [`OTHER_CHANNELS`].
    pub fn report(&self) -> Vec<ChannelReport> {
        let (open, totals): (Vec<_>, Vec<_>) = {
            let open = self.lock();
            let totals = open.totals.iter().map(|(name, totals)| (name.clone(), totals.clone())).collect();
            (open.by_name.values().cloned().collect(), totals)
        };
        let report = |(name, totals): (String, Arc<ChannelTotals>)| {
            let channels = open.iter().filter(|channel| Arc::ptr_eq(channel.totals(), &totals));
            let viewers = channels.map(|channel| channel.viewers()).sum();
            totals.report(name, viewers)
        };
        let mut reports: Vec<_> = totals.into_iter().map(report).collect();
        reports.sort_by(|a, b| a.name.cmp(&b.name));
        reports
    }

    /// Returns the number of viewers of the channel with this name. 0 if it is not open.
    pub fn count_viewers(&self, name: &str) -> usize {
        self.lock().by_name.get(name).map_or(0, |channel| channel.viewers())
    }

    /// Returns the label of each viewer of the channel with this name, and the parts per second it was sent recently.
    pub fn list_viewers(&self, name: &str) -> Vec<(String, f64)> {
        let channel = self.lock().by_name.get(name).cloned();
        channel.map(|channel| channel.viewer_stats()).unwrap_or_default()
    }

    /// Removes a channel that has no viewers. Returns `false` and does nothing if it has viewers.
    pub fn end_unwatched(&self, channel: &Channel) -> bool {
        let mut open = self.lock();
        let is_unwatched = channel.viewers() == 0;
        if is_unwatched {
            open.by_name.remove(channel.name());
        }
        is_unwatched
    }

    /// Closes a channel and removes it, even if it has viewers.
    pub fn end(&self, channel: &Channel) {
        self.lock().by_name.remove(channel.name());
        channel.close();
    }

    /// Closes all channels because the server is shutting down. Viewers that join later are at the end of their stream
    /// at once.
    pub fn shut_down(&self) {
        let channels = {
            let mut open = self.lock();
            open.is_shut_down = true;
            std::mem::take(&mut open.by_name)
        };
        channels.values().for_each(|channel| channel.close());
    }

    fn lock(&self) -> MutexGuard<'_, OpenChannels> {
        // No code that runs under the lock can leave the data inconsistent.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn channels_beyond_as_many_names_as_can_be_open_are_reported_together() {
        let (channels, mut new_channels) = Channels::new(0);
        for number in 0..=CHANNELS + 1 {
            let viewer = channels.join(&format!("channel-{number:02}"), ViewerOptions::default()).unwrap();
            let channel = new_channels.try_recv().unwrap();
            let part = super::super::Part::new("part".into(), bytes::Bytes::new(), bytes::Bytes::new());
            channel.publisher(1).push(part);
            drop(viewer);
            assert!(channels.end_unwatched(&channel));
        }
        let _again = channels.join("channel-00", ViewerOptions::default()).unwrap();
        let reports = channels.report();
        assert_eq!(reports.len(), CHANNELS as usize + 1);
        let of = |name: &str| reports.iter().find(|report| report.name == name).unwrap();
        assert_eq!((of("channel-00").viewers, of("channel-00").pushed), (1, 1));
        assert_eq!((of(OTHER_CHANNELS).viewers, of(OTHER_CHANNELS).pushed), (0, 2));
    }
}
