//! The state of all generations at one moment, as the admin listener shows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::counts::{Refusal, SwapCounts, unix_time};
use super::generation::Generation;
use super::rollback_targets::RollbackTarget;
use crate::sandbox::{Grants, LoadedGuest};

/// The state of all generations at one moment. The field names are those of the JSON.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The generation that answers requests.
    pub current: Current,
    /// The guest that a rollback returns to.
    pub previous: Option<Previous>,
    /// Replaced generations with responses in flight.
    pub draining: Vec<Draining>,
    /// The last candidate that was refused, or guest that failed its probation, since the server started.
    pub refused: Option<Refusal>,
    /// How often the guest was replaced, refused and rolled back since the server started.
    pub swaps: SwapCounts,
    /// The calls to guests that failed since the server started, by the kind of the error
    /// ([`CallError::kind`](crate::sandbox::CallError::kind)).
    pub failed_calls: BTreeMap<&'static str, u64>,
    /// What guests may use besides cameras, without secrets.
    pub grants: Grants,
}

/// The generation that answers requests.
#[derive(Debug, Serialize)]
pub struct Current {
    /// Its number, from 1.
    pub generation: u64,
    /// Its guest.
    #[serde(flatten)]
    pub guest: Guest,
    /// When it started to serve, in seconds since 1970.
    pub since: f64,
    /// The number of requests received.
    pub requests: u64,
    /// The number of requests on which the guest failed.
    pub failures: u64,
    /// The number of requests whose responses have not ended.
    pub under_way: usize,
}

/// The guest that a rollback returns to.
#[derive(Debug, Serialize)]
pub struct Previous {
    /// The generation in which it served.
    pub generation: u64,
    /// The guest.
    #[serde(flatten)]
    pub guest: Guest,
}

/// A component.
#[derive(Debug, Serialize)]
pub struct Guest {
    /// Where it came from.
    pub from: String,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: usize,
    /// The middleware in front of the guest, outermost first. The digest and the size above include it.
    pub middleware: Vec<MiddlewarePart>,
}

/// A component in front of the guest.
#[derive(Debug, Serialize)]
pub struct MiddlewarePart {
    /// Its file.
    pub from: String,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// A replaced generation.
#[derive(Debug, Serialize)]
pub struct Draining {
    /// Its number.
    pub generation: u64,
    /// The number of requests whose responses have not ended.
    pub under_way: usize,
}

impl Report {
    pub(super) fn new(
        current: &Generation,
        previous: Option<&RollbackTarget<LoadedGuest>>,
        draining: &[Arc<Generation>],
        refused: Option<Refusal>,
        swaps: SwapCounts,
        failed_calls: BTreeMap<&'static str, u64>,
        grants: Grants,
    ) -> Self {
        Self {
            current: Current {
                generation: current.lifecycle.number,
                guest: guest(&current.guest),
                since: unix_time(current.lifecycle.since),
                requests: current.requests(),
                failures: current.failures(),
                under_way: current.in_flight(),
            },
            previous: previous.map(|previous| Previous { generation: previous.number, guest: guest(&previous.guest) }),
            draining: draining
                .iter()
                .map(|generation| Draining {
                    generation: generation.lifecycle.number,
                    under_way: generation.in_flight(),
                })
                .collect(),
            refused,
            swaps,
            failed_calls,
            grants,
        }
    }
}

fn guest(guest: &LoadedGuest) -> Guest {
    let composition = guest.composition.as_deref();
    let origin = composition.map_or(&guest.origin, |composition| &composition.guest.origin);
    let parts = composition.map(|composition| &*composition.middleware).unwrap_or_default();
    let middleware = parts.iter().map(|part| MiddlewarePart {
        from: part.path.display().to_string(),
        sha256: part.component.digest.to_string(),
    });
    Guest {
        from: origin.to_string(),
        sha256: guest.digest.to_string(),
        bytes: guest.length,
        middleware: middleware.collect(),
    }
}
