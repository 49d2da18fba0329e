//! The status of the server. The field names are those of the JSON; times are in seconds since 1970, durations in
//! seconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::channels::ChannelReport;
use crate::swap::Refusal;

/// The status of the server at one moment.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Status {
    /// The version of Hotshoe.
    pub version: String,
    /// The process.
    pub process: Process,
    /// The cameras, in the order of their configuration.
    pub cameras: Vec<Camera>,
    /// The channels that are or were open, ordered by name.
    pub channels: Vec<ChannelReport>,
    /// The requests of viewers.
    pub requests: Requests,
    /// The guest.
    pub guest: Guest,
    /// The drivers and filters of cameras.
    pub components: Vec<Component>,
    /// What instances use, by the role of the component.
    pub instances: Vec<Instances>,
    /// The number of events that have begun in the results of all cameras.
    pub events: u64,
}

/// The process. Figures that the system does not report are missing.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started.
    pub started: Option<f64>,
    /// The processor time of all threads.
    pub cpu_seconds: Option<f64>,
    /// Resident memory.
    pub resident_bytes: Option<u64>,
    /// Address space, most of which is reserved and never used.
    pub virtual_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open files, sockets included.
    pub open_files: Option<u64>,
    /// The limit on open files.
    pub max_open_files: Option<u64>,
}

/// A camera.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Camera {
    /// Its name.
    pub name: String,
    /// Its display name.
    pub label: String,
    /// What it is and where.
    pub description: String,
    /// `idle`, `starting`, `live` or `lost`.
    pub state: String,
    /// Why it is lost.
    pub outage: Option<Outage>,
    /// How it streams, or last streamed: `640x480, 30 fps, MJPG`.
    pub mode: Option<String>,
    /// Its readers: publishers, snapshots in progress and the like.
    pub readers: usize,
    /// How many times it was opened.
    pub openings: u64,
    /// Frames delivered.
    pub frames: u64,
    /// Frames lost, by cause.
    pub lost: BTreeMap<String, u64>,
    /// Frames per second, recently.
    pub rate: f64,
    /// The age of the newest frame, if there is one.
    pub age: Option<f64>,
    /// Its filters, in the order in which frames pass them.
    pub filters: Vec<Filter>,
    /// How many times results were attached to its frames.
    pub results: u64,
}

/// Why a camera has no picture.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Outage {
    /// The kind, such as `not-found`.
    pub cause: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// A filter of a camera.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Filter {
    /// What it is.
    pub description: String,
    /// Frames per second, recently.
    pub rate: f64,
    /// The mean time for a frame, recently.
    pub cost: f64,
    /// The frames that it filtered.
    pub frames: u64,
    /// The time that it took for them.
    pub busy: f64,
    /// The frames that readers did not get because it failed.
    pub failed: u64,
}

/// The requests of viewers.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Requests {
    /// Open connections.
    pub connections: usize,
    /// Requests whose responses have not ended.
    pub in_progress: usize,
    /// Responses by status.
    pub by_status: BTreeMap<u16, u64>,
    /// Bytes of the bodies of responses, except for the parts of channels.
    pub bytes: u64,
    /// The times to the first byte.
    pub first_byte: FirstByte,
}

/// The times from the heads of requests to the first bytes of the responses.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FirstByte {
    /// Limits, and how many times do not exceed each.
    pub buckets: Vec<(f64, u64)>,
    /// The number of times.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

/// The guest.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Guest {
    /// The number of its generation.
    pub generation: u64,
    /// Where it comes from.
    pub from: String,
    /// The SHA-256 of the component.
    pub sha256: String,
    /// When it started to serve.
    pub since: f64,
    /// Whether it has not failed its probation.
    pub healthy: bool,
    /// The requests that this generation received.
    pub requests: u64,
    /// Those on which it failed.
    pub failures: u64,
    /// Replaced generations with responses in progress.
    pub draining: usize,
    /// The last refused candidate, or rolled back guest.
    pub refused: Option<Refusal>,
    /// How often guests were replaced.
    pub swaps: Swaps,
    /// Failed calls of all generations, by reason.
    pub failed_calls: BTreeMap<String, u64>,
}

/// How often a component was replaced since the server started.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Swaps {
    /// Replacements by a candidate.
    pub replaced: u64,
    /// Rollbacks that an operator asked for.
    pub rolled_back: u64,
    /// Rollbacks because a component failed its probation.
    pub failed_over: u64,
    /// Refused candidates, by reason.
    pub refused: BTreeMap<String, u64>,
}

/// A driver or a filter of a camera.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Component {
    /// The name of the camera.
    pub camera: String,
    /// `driver` or `filter`.
    pub role: String,
    /// Which of the components with this role it is, from 1, if a camera can have several.
    pub number: Option<usize>,
    /// Where the component comes from that runs.
    pub from: Option<String>,
    /// The number of its generation.
    pub generation: Option<u64>,
    /// The last component that was refused or rolled back.
    pub refused: Option<Refusal>,
    /// How often it was replaced.
    pub swaps: Swaps,
}

/// What the instances of components of one role use.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Instances {
    /// `guest`, `driver` or `filter`.
    pub role: String,
    /// Their number.
    pub count: usize,
    /// Their linear memory in bytes.
    pub memory: usize,
    /// How long components of this role have run.
    pub run_seconds: f64,
}
