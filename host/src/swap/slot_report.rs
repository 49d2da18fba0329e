//! The component of a camera at one moment, as the admin listener shows it.

use serde::Serialize;

use super::counts::{Refusal, SwapCounts, unix_time};
use super::generation::Generation;
use super::rollback_targets::RollbackTarget;
use crate::sandbox::{CameraComponent, Identity};

/// The component of a camera at one moment. The field names are those of the JSON at the admin listener.
#[derive(Debug, Serialize)]
pub struct SlotReport {
    /// The name of the camera.
    pub camera: String,
    /// What the component is, such as `driver`.
    pub role: &'static str,
    /// Which of the components with this role it is, from 1, if a camera can have several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<usize>,
    /// The file that it was configured with.
    pub file: String,
    /// The component that runs whenever the camera is open. `None` while the file cannot be loaded.
    pub current: Option<Current>,
    /// The component that a rollback returns to.
    pub previous: Option<Previous>,
    /// The last component that was refused, or rolled back, since the server started.
    pub refused: Option<Refusal>,
    /// How often the component was replaced, refused and rolled back since the server started.
    pub swaps: SwapCounts,
}

/// The component that runs whenever the camera is open.
#[derive(Debug, Serialize)]
pub struct Current {
    /// The number of its generation, from 1.
    pub generation: u64,
    /// The component.
    #[serde(flatten)]
    pub component: Component,
    /// When its generation began, in seconds since 1970.
    pub since: f64,
    /// Whether it has delivered a picture in this generation, which ends its probation.
    pub delivered: bool,
    /// How often it was started.
    pub openings: u64,
}

/// The component that a rollback returns to.
#[derive(Debug, Serialize)]
pub struct Previous {
    /// The generation in which it ran.
    pub generation: u64,
    /// The component.
    #[serde(flatten)]
    pub component: Component,
}

/// A component.
#[derive(Debug, Serialize)]
pub struct Component {
    /// Where it came from.
    pub from: String,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: usize,
}

impl Current {
    pub(super) fn of<C: CameraComponent>(generation: &Generation<C>) -> Self {
        Self {
            generation: generation.lifecycle.number,
            component: component(generation.guest.identity()),
            since: unix_time(generation.lifecycle.since),
            delivered: generation.has_answered_now(),
            openings: generation.requests(),
        }
    }
}

impl Previous {
    pub(super) fn of<C: CameraComponent>(target: &RollbackTarget<C>) -> Self {
        Self { generation: target.number, component: component(target.guest.identity()) }
    }
}

fn component(identity: &Identity) -> Component {
    let Identity { origin, digest, length } = identity;
    Component { from: origin.to_string(), sha256: digest.to_string(), bytes: *length }
}
