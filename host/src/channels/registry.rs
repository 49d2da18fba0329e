//! All channels, by name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::channel::Channel;
use super::merged::Merged;
use super::viewer::{Viewer, ViewerOptions};

/// The most channels that there can be at a time. Each has an instance of the guest; and a guest that took their
/// names from what clients send should not make one for everything that they think of.
const CHANNELS: u32 = 64;

/// And as many for each camera: the built-in guest has one for each of the three framings of a stream, with each of two
/// boundaries, and one for streams of several cameras.
const CHANNELS_OF_A_CAMERA: u32 = 7;

/// The longest name of a channel, in bytes.
const NAME_LIMIT: usize = 64;

/// The longest label of a viewer, in bytes: enough for what programs make up to tell things apart.
const LABEL_LIMIT: usize = 64;

/// Why a channel cannot be joined.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JoinError {
    /// It cannot be named so.
    #[error("this is no name for a channel")]
    Name,
    /// There are enough.
    #[error("there are {0} channels already")]
    TooMany(u32),
    /// The viewer cannot be called so.
    #[error("this is too long for a label")]
    Label,
}

/// The channels that can be joined.
#[derive(Default)]
struct Open {
    by_name: HashMap<String, Arc<Channel>>,
    /// Whether the server is shutting down: then there are none, and no more can begin.
    is_shut_down: bool,
}

/// All channels. Clones are the same.
#[derive(Clone)]
pub struct Channels {
    open: Arc<Mutex<Open>>,
    /// Tells who runs publishers of each channel that begins.
    begun: mpsc::UnboundedSender<Arc<Channel>>,
    limit: u32,
    runtime: Handle,
}

impl Channels {
    /// None yet, on a host with so many cameras. The receiver is told of each that begins, and has to
    /// [`end`](Self::end) it. `runtime` sends the parts; they should be pushed from there.
    pub fn new(cameras: usize, runtime: Handle) -> (Self, mpsc::UnboundedReceiver<Arc<Channel>>) {
        let (begun, beginning) = mpsc::unbounded_channel();
        (Self { open: Arc::default(), begun, limit: Self::limit(cameras), runtime }, beginning)
    }

    /// The most channels that there can be at a time on a host with so many cameras.
    pub fn limit(cameras: usize) -> u32 {
        let cameras = u32::try_from(cameras).unwrap_or(u32::MAX);
        cameras.saturating_mul(CHANNELS_OF_A_CAMERA).saturating_add(CHANNELS)
    }

    /// Become a viewer of the channel of this name, which begins if it is not there.
    pub fn join(&self, name: &str, viewing: ViewerOptions) -> Result<Viewer, JoinError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        if name.is_empty() || name.len() > NAME_LIMIT || !name.bytes().all(allowed) {
            return Err(JoinError::Name);
        }
        if viewing.label.len() > LABEL_LIMIT {
            return Err(JoinError::Label);
        }
        let mut open = self.open();
        let channel = match open.by_name.get(name) {
            Some(channel) => channel.clone(),
            None if open.by_name.len() >= self.limit as usize => return Err(JoinError::TooMany(self.limit)),
            None => {
                let channel = Arc::new(Channel::new(name.to_owned(), self.runtime.clone()));
                if open.is_shut_down {
                    channel.close();
                } else {
                    open.by_name.insert(name.to_owned(), channel.clone());
                    // Fails when the server is ending.
                    let _ = self.begun.send(channel.clone());
                }
                channel
            }
        };
        // Under the lock, so that a channel is not ended in between.
        Ok(Viewer::new(channel, viewing))
    }

    /// Become a viewer of all channels of these names, by one response. Each of them is sent at up to the maximal rate.
    /// Fails, and joins none, if one of them cannot be joined, or if there are none, or more than there can be channels.
    pub fn join_all(&self, names: &[String], viewing: ViewerOptions) -> Result<Merged, JoinError> {
        if names.is_empty() {
            return Err(JoinError::Name);
        }
        if names.len() > self.limit as usize {
            return Err(JoinError::TooMany(self.limit));
        }
        let ViewerOptions { opening, closing, maximal_rate, label } = viewing;
        let join = |name: &String| {
            self.join(name, ViewerOptions { maximal_rate, label: label.clone(), ..ViewerOptions::default() })
        };
        Ok(Merged::new(opening, closing, names.iter().map(join).collect::<Result<_, _>>()?))
    }

    /// How many viewers the channel of this name has.
    pub fn count_viewers(&self, name: &str) -> usize {
        self.open().by_name.get(name).map_or(0, |channel| channel.viewers())
    }

    /// Of each viewer of the channel of this name its label, and how many parts per second it took lately.
    pub fn list_viewers(&self, name: &str) -> Vec<(String, f64)> {
        let channel = self.open().by_name.get(name).cloned();
        channel.map(|channel| channel.viewer_stats()).unwrap_or_default()
    }

    /// Forget a channel that nobody watches. Returns false, and does nothing, if somebody does.
    pub fn end_unwatched(&self, channel: &Channel) -> bool {
        let mut open = self.open();
        let unwatched = channel.viewers() == 0;
        if unwatched {
            open.by_name.remove(channel.name());
        }
        unwatched
    }

    /// End a channel and forget it, whoever watches it.
    pub fn end(&self, channel: &Channel) {
        self.open().by_name.remove(channel.name());
        channel.close();
    }

    /// End all channels, because the server is shutting down. Who joins one after that finds it at its end.
    pub fn shut_down(&self) {
        let channels = {
            let mut open = self.open();
            open.is_shut_down = true;
            std::mem::take(&mut open.by_name)
        };
        channels.values().for_each(|channel| channel.close());
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Nothing that is done under the lock can leave it half done.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
