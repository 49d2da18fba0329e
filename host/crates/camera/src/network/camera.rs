//! A camera in the network.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::address::Address;
use super::capture::NetworkCapture;
use super::options::NetworkOptions;
use super::resolver::Resolver;
use crate::error::SourceError;
use crate::frame_sampling::FrameSampling;
use crate::jpeg::Options;
use crate::source::{Capture, Source};

/// The longest delay before a failed connection is tried again. Short, so that the viewers of a relay see the picture
/// soon after the origin is back; an attempt costs one small packet.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(1);

/// A camera in the network.
pub struct NetworkCamera {
    address: Address,
    options: NetworkOptions,
    // These outlast an opening.
    sampling: Arc<Mutex<FrameSampling>>,
    resolver: Resolver,
}

impl NetworkCamera {
    /// Creates a camera. Connects only when it is opened.
    pub fn new(address: Address, options: NetworkOptions) -> Self {
        Self { address, options, sampling: Arc::default(), resolver: Resolver::of_system() }
    }
}

impl Source for NetworkCamera {
    fn description(&self) -> String {
        let note = if self.options.is_insecure { " (certificate not verified)" } else { "" };
        format!("{}{note}", self.address)
    }

    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        let jpeg_options = Options { allow_truncated: self.options.allow_truncated };
        let sampling = self.sampling.clone();
        Ok(Box::new(NetworkCapture::open(&self.address, &self.options, jpeg_options, sampling, &self.resolver)?))
    }

    fn max_retry_delay(&self) -> Duration {
        MAX_RETRY_DELAY
    }
}
