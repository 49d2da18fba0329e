//! All generations at one moment, for a person or a program to read.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::fallbacks::Retired;
use super::generation::Generation;
use crate::sandbox::LoadedGuest;

/// All generations at one moment.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The one that answers requests.
    pub current: Current,
    /// The guest before it, which one can go back to.
    pub previous: Option<Before>,
    /// Those that were replaced and have responses under way.
    pub draining: Vec<Draining>,
    /// The last candidate that was refused, or guest that was taken back, since the start.
    pub refused: Option<Refusal>,
}

/// The generation that answers requests.
#[derive(Debug, Serialize)]
pub struct Current {
    /// Its number.
    pub generation: u64,
    /// Its guest.
    #[serde(flatten)]
    pub guest: Guest,
    /// When it began to serve, in seconds since 1970.
    pub since: f64,
    /// How many requests it was given.
    pub requests: u64,
    /// On how many of them it failed.
    pub failures: u64,
    /// How many responses it is sending.
    pub under_way: usize,
}

/// A guest that one can go back to.
#[derive(Debug, Serialize)]
pub struct Before {
    /// The number of the generation that it served as.
    pub generation: u64,
    /// The guest.
    #[serde(flatten)]
    pub guest: Guest,
}

/// A component.
#[derive(Debug, Serialize)]
pub struct Guest {
    /// Where it is from.
    pub from: String,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// The number of its bytes.
    pub bytes: usize,
}

/// A generation that was replaced.
#[derive(Debug, Serialize)]
pub struct Draining {
    /// Its number.
    pub generation: u64,
    /// How many responses it is still sending.
    pub under_way: usize,
}

/// Why a guest does not serve.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// One line.
    pub reason: String,
    /// When that was, in seconds since 1970.
    pub at: f64,
}

impl Refusal {
    pub(super) fn now(reason: String) -> Self {
        Self { reason, at: unix_time(SystemTime::now()) }
    }
}

impl Report {
    pub(super) fn new(
        current: &Generation,
        previous: Option<&Retired<LoadedGuest>>,
        draining: &[Arc<Generation>],
        refused: Option<Refusal>,
    ) -> Self {
        Self {
            current: Current {
                generation: current.lifecycle.number,
                guest: guest(&current.guest),
                since: unix_time(current.lifecycle.since),
                requests: current.requests(),
                failures: current.failures(),
                under_way: current.under_way(),
            },
            previous: previous.map(|previous| Before { generation: previous.number, guest: guest(&previous.guest) }),
            draining: draining
                .iter()
                .map(|generation| Draining {
                    generation: generation.lifecycle.number,
                    under_way: generation.under_way(),
                })
                .collect(),
            refused,
        }
    }
}

fn guest(guest: &LoadedGuest) -> Guest {
    Guest { from: guest.origin.to_string(), sha256: guest.digest.to_string(), bytes: guest.length }
}

/// Seconds since 1970, to the millisecond. A clock before that was never set.
fn unix_time(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs_f64() * 1000.0).round() / 1000.0
}
