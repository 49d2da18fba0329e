//! Records requests from their heads to the ends of their responses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{Method, Response};
use http_body::Body as _;

use super::access_log::AccessLog;
use super::entry::{Entry, seconds};
use super::request_stats::RequestStats;
use crate::channels::viewer_stats::ViewerStats;
use crate::http::service_body::ServiceBody;

/// The status of a request whose client has left before the response. nginx logs the same.
const CLIENT_LEFT: u16 = 499;

/// Records requests. Clones share the counts and the log.
#[derive(Clone, Default)]
pub struct Recorder {
    stats: Arc<RequestStats>,
    access_log: Option<Arc<AccessLog>>,
}

impl Recorder {
    /// Records requests in this log as well, if there is one.
    pub fn new(access_log: Option<AccessLog>) -> Self {
        Self { stats: Arc::default(), access_log: access_log.map(Arc::new) }
    }

    /// The counts.
    pub fn stats(&self) -> &Arc<RequestStats> {
        &self.stats
    }

    /// Begins to record a request whose head has arrived.
    pub fn begin(&self, head: &Parts) -> Recording {
        self.stats.begin();
        Recording {
            recorder: self.clone(),
            started: Instant::now(),
            is_head: head.method == Method::HEAD,
            status: None,
            first_byte: None,
            bytes: 0,
            viewer: None,
            entry: self.access_log.as_ref().map(|log| Box::new(log.entry(head))),
        }
    }
}

/// A request that is recorded. It ends when this is dropped.
pub struct Recording {
    recorder: Recorder,
    started: Instant,
    is_head: bool,
    /// `None` until there is a response.
    status: Option<u16>,
    first_byte: Option<Duration>,
    /// The bytes of the body that have passed through it.
    bytes: u64,
    /// Counts the bytes of a viewer, which do not all pass through the body.
    viewer: Option<Arc<ViewerStats>>,
    /// `None` without an access log.
    entry: Option<Box<Entry>>,
}

impl Recording {
    /// Sets the name of the user who has made the request.
    pub fn set_user(&mut self, user: &str) {
        if let Some(entry) = &mut self.entry {
            entry.user = Some(user.to_owned());
        }
    }

    /// Leaves the request out of the access log: checks that succeed every few seconds would hide everything else.
    pub fn leave_out_of_log(&mut self) {
        self.entry = None;
    }

    /// Records that this is the response, whose body follows.
    pub(super) fn start(&mut self, response: &Response<ServiceBody>) {
        let status = response.status().as_u16();
        self.status = Some(status);
        self.recorder.stats.add_response(status);
        if self.is_head || response.body().is_end_stream() {
            self.set_first_byte();
        }
        if let ServiceBody::Viewer { body, .. } = response.body() {
            self.viewer = body.viewer_stats().cloned();
        }
    }

    /// Records that these bytes of the body are sent. `is_channel` says whether they are counted elsewhere.
    pub(super) fn add_bytes(&mut self, bytes: usize, is_channel: bool) {
        self.set_first_byte();
        self.bytes += bytes as u64;
        if !is_channel {
            self.recorder.stats.add_bytes(bytes as u64);
        }
    }

    /// Records that the response starts now, unless it has started before.
    pub(super) fn set_first_byte(&mut self) {
        if self.first_byte.is_none() {
            let time = self.started.elapsed();
            self.first_byte = Some(time);
            self.recorder.stats.add_first_byte(time);
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let Recorder { stats, access_log } = &self.recorder;
        stats.end();
        if self.status.is_none() {
            stats.add_response(CLIENT_LEFT);
        }
        if let (Some(log), Some(entry)) = (access_log, &mut self.entry) {
            entry.status = self.status.unwrap_or(CLIENT_LEFT);
            entry.bytes = self.viewer.as_ref().map_or(self.bytes, |viewer| viewer.bytes());
            entry.duration = seconds(self.started.elapsed());
            entry.first_byte = self.first_byte.map(seconds);
            log.write(entry);
        }
    }
}
