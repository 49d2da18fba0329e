//! What components that belong to a camera have in common: they are loaded from a candidate, and replaced while the
//! camera has viewers ([`crate::swap`]).

use std::sync::Arc;

use super::candidate::Candidate;
use super::compiler::{Cancellation, Priority};
use super::error::LoadError;
use super::origin::Origin;
use crate::sandbox::engine::Sandbox;

/// A loaded component that belongs to a camera. Clones share its code.
pub trait CameraComponent: Clone + Send + Sync + Sized + 'static {
    /// What messages call it, such as `driver`.
    const ROLE: &'static str;

    /// Loads a candidate: checks its imports and exports, and takes the compiled code from the cache or compiles it in
    /// a separate process.
    ///
    /// Blocks for a few milliseconds if the code is in the cache, and otherwise for a tenth of a second or more.
    fn load(
        candidate: &Candidate,
        sandbox: &Sandbox,
        priority: Priority,
        cancellation: &Cancellation,
    ) -> Result<Self, LoadError>;

    /// Which component it is.
    fn identity(&self) -> &Identity;
}

/// Which component was loaded.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Where it comes from.
    pub origin: Origin,
    /// The SHA-256 of the component, in hexadecimal digits.
    pub digest: Arc<str>,
    /// The length of the component, in bytes.
    pub length: usize,
}

impl Identity {
    /// The identity of a candidate.
    pub(super) fn of(candidate: &Candidate) -> Self {
        let Candidate { origin, digest, .. } = candidate;
        Self { origin: origin.clone(), digest: digest.clone(), length: candidate.bytes().len() }
    }
}
