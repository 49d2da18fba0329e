//! The component of one camera: which one runs now, how it is replaced, and which one a rollback returns to.
//!
//! It has generations like the guest. What a request is for the guest is an opening for a camera, and what an answer is
//! is a picture: each generation is on probation until its first picture, and one failure before that rolls it back,
//! even if its component has delivered pictures in an earlier generation.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, watch};
use tracing::{info, warn};

use super::check::{SwapError, on_thread};
use super::counts::{Refusal, Refusals, SwapCounts, unix_time};
use super::deployment::{FIRST_GENERATION, NoRollbackTarget};
use super::deployment_state::{DeploymentState, Failover, Transition};
use super::generation::{Generation, InFlightRequest};
use super::watch::Watched;
use crate::camera::{Outage, OutageCause};
use crate::logging::AUDIT_TARGET;
use crate::sandbox::{CameraComponent, Cancellation, Candidate, Identity, LoadError, Origin, Phase, Priority, Sandbox};

/// The component of one camera. Clones share it.
pub struct CameraSlot<C: CameraComponent>(Arc<Inner<C>>);

struct Inner<C: CameraComponent> {
    camera: Arc<str>,
    file: PathBuf,
    sandbox: Arc<Sandbox>,
    state: Mutex<State<C>>,
    /// Changes whenever a component is replaced.
    changes: watch::Sender<()>,
    /// Held while a component is loaded, so that components run in the order in which they were offered.
    replacement_lock: Arc<AsyncMutex<()>>,
}

struct State<C> {
    /// `None` until a component could be loaded.
    deployment: Option<DeploymentState<C>>,
    refusals: Refusals,
    /// The digest of what the file contained when it could not be loaded, and why. Compiling it again would fail again.
    unloadable: Option<(Arc<str>, Outage)>,
}

/// One opening of a camera with one generation of its component.
pub struct Opening<C: CameraComponent>(InFlightRequest<C>);

impl<C: CameraComponent> Opening<C> {
    fn start(generation: Arc<Generation<C>>) -> Self {
        let request = InFlightRequest::start(generation);
        // Its probation is the first picture.
        request.exclude_from_probation();
        Self(request)
    }

    /// The component.
    pub fn component(&self) -> &C {
        &self.0.generation().guest
    }

    /// The number of its generation.
    pub fn number(&self) -> u64 {
        self.0.generation().lifecycle.number
    }

    /// Records that the component has delivered a picture, which ends its probation.
    pub fn record_picture(&self) {
        self.0.record_success();
    }
}

impl<C: CameraComponent> CameraSlot<C> {
    /// Creates the slot of the camera with this name. Its component is loaded from `file` when it is needed.
    pub fn new(camera: &str, file: PathBuf, sandbox: Arc<Sandbox>) -> Self {
        let state = State { deployment: None, refusals: Refusals::default(), unloadable: None };
        Self(Arc::new(Inner {
            camera: camera.into(),
            file,
            sandbox,
            state: Mutex::new(state),
            changes: watch::Sender::default(),
            replacement_lock: Arc::default(),
        }))
    }

    /// The name of the camera.
    pub fn camera(&self) -> &str {
        &self.0.camera
    }

    /// The file of the component that the camera was configured with.
    pub fn file(&self) -> &Path {
        &self.0.file
    }

    /// The sandbox that the component runs in.
    pub fn sandbox(&self) -> &Arc<Sandbox> {
        &self.0.sandbox
    }

    /// A receiver that changes whenever the component is replaced.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.0.changes.subscribe()
    }

    /// Describes the component for people.
    pub fn description(&self) -> String {
        let current = self.identity().map(|identity| identity.origin.to_string());
        current.unwrap_or_else(|| self.0.file.display().to_string())
    }

    /// Which component is current. `None` until one could be loaded.
    pub fn identity(&self) -> Option<Identity> {
        self.current().map(|generation| generation.guest.identity().clone())
    }

    /// Starts an opening of the camera with the current component. If there is none, loads it from the file, and blocks
    /// as [`CameraComponent::load`] does. Must not be called inside a Tokio runtime.
    pub fn open(&self) -> Result<Opening<C>, Outage> {
        if let Some(generation) = self.current() {
            return Ok(Opening::start(generation));
        }
        let _lock = self.0.replacement_lock.blocking_lock();
        self.load_first(Priority::Background, &Cancellation::default()).map(Opening::start)
    }

    /// Loads the component from the file, unless that has happened, so that the first viewer need not wait for it. Logs
    /// why it cannot be loaded.
    pub async fn preload(&self) {
        let lock = self.0.replacement_lock.clone().lock_owned().await;
        let slot = self.clone();
        let loading = on_thread(self.file_origin(), lock, move |cancellation| {
            Ok(slot.load_first(Priority::Unwatched, cancellation).err())
        });
        match loading.await {
            Ok((_, None)) => {}
            Ok((_, Some(outage))) => warn!(camera = self.camera(), "{}", outage.message),
            Err(error) => warn!(camera = self.camera(), "{error}"),
        }
    }

    /// Loads a candidate and, if it can be loaded, replaces the current component by it. Does nothing if they are the
    /// same. Waits for candidates that were offered earlier.
    ///
    /// If it cannot be loaded, the current component continues, and the log has the reason. Dropping the future early
    /// changes nothing. Must be called inside a Tokio runtime.
    pub async fn replace(&self, candidate: Result<Candidate, LoadError>) -> Result<(), SwapError> {
        let lock = self.0.replacement_lock.clone().lock_owned().await;
        let result = match candidate {
            Ok(candidate) => self.try_replace(candidate, lock).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &result {
            self.record_refusal(error);
        }
        result
    }

    /// Like [`replace`](Self::replace), with what the file contains now.
    pub async fn reload(&self) -> Result<(), SwapError> {
        let file = self.0.file.clone();
        let reading = tokio::task::spawn_blocking(move || Candidate::read_for_camera(C::ROLE, &file));
        match reading.await {
            Ok(candidate) => self.replace(candidate).await,
            Err(_) => Err(SwapError::Panicked(self.file_origin())),
        }
    }

    async fn try_replace(&self, candidate: Candidate, lock: OwnedMutexGuard<()>) -> Result<(), SwapError> {
        if let Some(current) = self.current()
            && current.lifecycle.digest == candidate.digest
        {
            let number = current.lifecycle.number;
            info!(camera = self.camera(), "{} not replaced, generation {number} already runs this component", C::ROLE);
            return Ok(());
        }
        let (origin, slot) = (candidate.origin.clone(), self.clone());
        let load =
            move |cancellation: &Cancellation| C::load(&candidate, slot.sandbox(), Priority::Background, cancellation);
        let (_lock, component) = on_thread(origin, lock, load).await?;
        self.install(component);
        Ok(())
    }

    /// Loads the component from the file, unless there is one. The caller holds the lock.
    fn load_first(&self, priority: Priority, cancellation: &Cancellation) -> Result<Arc<Generation<C>>, Outage> {
        if let Some(generation) = self.current() {
            return Ok(generation);
        }
        let candidate = Candidate::read_for_camera(C::ROLE, &self.0.file).map_err(|error| outage(&error))?;
        if let Some((digest, outage)) = &self.state().unloadable
            && *digest == candidate.digest
        {
            return Err(outage.clone());
        }
        match C::load(&candidate, &self.0.sandbox, priority, cancellation) {
            Ok(component) => Ok(self.install(component)),
            Err(error) => {
                let outage = outage(&error);
                // The other errors may go away.
                if !matches!(error, LoadError::Compile { .. }) {
                    self.state().unloadable = Some((candidate.digest.clone(), outage.clone()));
                }
                Err(outage)
            }
        }
    }

    /// Makes a component the current one.
    fn install(&self, component: C) -> Arc<Generation<C>> {
        let digest = component.identity().digest.clone();
        let mut state = self.state();
        if let Some(deployment) = &mut state.deployment {
            let transition = deployment.replace(component, digest);
            drop(state);
            return self.complete(&transition);
        }
        let first = Generation::start(FIRST_GENERATION, component, digest, false);
        state.deployment = Some(DeploymentState::new(first.clone()));
        drop(state);
        self.log_start(&first);
        first
    }

    /// Records that an opening has failed for this reason, which continues a sentence about the component. If its
    /// generation is current and has delivered no picture, rolls back to another component if there is one, and returns
    /// `true`.
    pub fn record_failure(&self, opening: &Opening<C>, reason: &str) -> bool {
        let generation = opening.0.generation();
        let (number, identity) = (generation.lifecycle.number, generation.guest.identity());
        let reason = format!("{} {reason}, before its first picture", identity.origin);
        let transition = {
            let mut state = self.state();
            let Some(deployment) = &mut state.deployment else { return false };
            let is_on_probation = !generation.has_answered_now() && deployment.current.lifecycle.number == number;
            if !is_on_probation || !deployment.targets.has_other(&identity.digest) {
                return false;
            }
            let Failover::To(transition) = deployment.fail_over(number, &identity.digest) else { return false };
            state.refusals.last = Some(Refusal::now(reason.clone()));
            transition
        };
        let target = transition.restores.map(|number| format!(" to that of generation {number}")).unwrap_or_default();
        warn!(target: AUDIT_TARGET, camera = self.camera(), generation = number, "{reason}; rolling back{target}");
        self.complete(&transition);
        true
    }

    /// Rolls back to the previous component at once. A second rollback undoes the first.
    pub fn roll_back(&self) -> Result<(), NoRollbackTarget> {
        let transition = {
            let mut state = self.state();
            state.deployment.as_mut().and_then(DeploymentState::roll_back).ok_or(NoRollbackTarget)?
        };
        let number = transition.from.lifecycle.number;
        info!(target: AUDIT_TARGET, camera = self.camera(), "rolling back from generation {number}");
        self.complete(&transition);
        Ok(())
    }

    /// The state at this moment.
    pub fn report(&self) -> SlotReport {
        let state = self.state();
        let deployment = state.deployment.as_ref();
        let current = deployment.map(|deployment| {
            let generation = &deployment.current;
            Current {
                generation: generation.lifecycle.number,
                component: component(generation.guest.identity()),
                since: unix_time(generation.lifecycle.since),
                delivered: generation.has_answered_now(),
                openings: generation.requests(),
            }
        });
        let previous = deployment.and_then(|deployment| deployment.targets.previous());
        SlotReport {
            camera: self.0.camera.to_string(),
            role: C::ROLE,
            file: self.0.file.display().to_string(),
            current,
            previous: previous
                .map(|target| Previous { generation: target.number, component: component(target.guest.identity()) }),
            refused: state.refusals.last.clone(),
            swaps: state.refusals.counted_in(deployment.map(DeploymentState::counts).unwrap_or_default()),
        }
    }

    fn record_refusal(&self, error: &SwapError) {
        let reason = error.to_string();
        let number = {
            let mut state = self.state();
            state.refusals.add(error.kind(), reason.clone());
            state.deployment.as_ref().map(|deployment| deployment.current.lifecycle.number)
        };
        let continues = number.map(|number| format!(", generation {number} continues")).unwrap_or_default();
        warn!(target: AUDIT_TARGET, camera = self.camera(), "{} not replaced{continues}: {reason}", C::ROLE);
    }

    /// Completes a change of generations, and returns the new one.
    fn complete(&self, transition: &Transition<C>) -> Arc<Generation<C>> {
        transition.from.enter(Phase::Replaced);
        self.log_start(&transition.to);
        self.0.changes.send_replace(());
        transition.to.clone()
    }

    fn log_start(&self, generation: &Generation<C>) {
        let Identity { origin, digest, .. } = generation.guest.identity();
        let number = generation.lifecycle.number;
        let camera = self.camera();
        info!(target: AUDIT_TARGET, camera, generation = number, "{} {origin}, sha256 {digest}", C::ROLE);
    }

    fn current(&self) -> Option<Arc<Generation<C>>> {
        self.state().deployment.as_ref().map(|deployment| deployment.current.clone())
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        // No code that holds the lock can leave the state inconsistent.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file_origin(&self) -> Origin {
        Origin::CameraFile { role: C::ROLE, path: self.0.file.clone() }
    }
}

impl<C: CameraComponent> Clone for CameraSlot<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: CameraComponent> Watched for CameraSlot<C> {
    fn read(&self, file: &Path) -> Result<Candidate, LoadError> {
        Candidate::read_for_camera(C::ROLE, file)
    }

    fn runs(&self, digest: &str) -> bool {
        self.current().is_some_and(|generation| *generation.lifecycle.digest == *digest)
    }

    async fn offer(&self, candidate: Result<Candidate, LoadError>) -> Result<(), SwapError> {
        self.replace(candidate).await
    }
}

/// The component of a camera at one moment. The field names are those of the JSON at the admin listener.
#[derive(Debug, Serialize)]
pub struct SlotReport {
    /// The name of the camera.
    pub camera: String,
    /// What the component is, such as `driver`.
    pub role: &'static str,
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

fn component(identity: &Identity) -> Component {
    let Identity { origin, digest, length } = identity;
    Component { from: origin.to_string(), sha256: digest.to_string(), bytes: *length }
}

/// Why a camera has no pictures if its component cannot be loaded.
fn outage(error: &LoadError) -> Outage {
    let cause = match error {
        LoadError::Read { source, .. } => match source.kind() {
            io::ErrorKind::NotFound => OutageCause::NotFound,
            io::ErrorKind::PermissionDenied => OutageCause::AccessDenied,
            _ => OutageCause::Failed,
        },
        LoadError::Compile { .. } => OutageCause::Failed,
        _ => OutageCause::Unsupported,
    };
    Outage { cause, message: error.to_string().into() }
}
