//! The component of one camera: which one runs now, how it is replaced, and which one a rollback returns to.
//!
//! It has generations like the guest. What a request is for the guest is an opening for a camera, and what an answer is
//! is a picture: each generation is on probation until its first picture, and one failure before that rolls it back,
//! even if its component has delivered pictures in an earlier generation.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, oneshot, watch};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use super::check::{SwapError, on_thread};
use super::counts::{Refusal, Refusals};
use super::deployment::{FIRST_GENERATION, NoRollbackTarget};
use super::deployment_state::{DeploymentState, Failover, Transition};
use super::first_load::{Attempt, FirstLoad};
use super::generation::{Generation, InFlightRequest};
use super::slot_report::{Current, Previous, SlotReport};
use super::watch::Watched;
use crate::camera::{Outage, OutageCause};
use crate::logging::AUDIT_TARGET;
use crate::process::turn::Turn;
use crate::sandbox::{CameraComponent, Cancellation, Candidate, Identity, LoadError, Phase, Priority, Sandbox};

/// The component of one camera. Clones share it.
pub struct CameraSlot<C: CameraComponent>(Arc<Inner<C>>);

struct Inner<C: CameraComponent> {
    camera: Arc<str>,
    number: Option<usize>,
    file: PathBuf,
    sandbox: Arc<Sandbox>,
    state: Mutex<State<C>>,
    first_load: FirstLoad,
    /// Changes whenever there is another component.
    changes: watch::Sender<()>,
    reload_turn: Turn,
    /// Held while a component is loaded, so that components run in the order in which they were offered.
    replacement_lock: Arc<AsyncMutex<()>>,
}

struct State<C> {
    /// `None` until a component could be loaded.
    deployment: Option<DeploymentState<C>>,
    refusals: Refusals,
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
    /// Creates a slot of the camera with this name. Its component is loaded from `file` when it is needed. If a camera can
    /// have several such components, `number` tells them apart.
    pub fn new(camera: &str, number: Option<usize>, file: PathBuf, sandbox: Arc<Sandbox>) -> Self {
        let state = State { deployment: None, refusals: Refusals::default() };
        Self(Arc::new(Inner {
            camera: camera.into(),
            number,
            file,
            sandbox,
            state: Mutex::new(state),
            first_load: FirstLoad::default(),
            changes: watch::Sender::default(),
            reload_turn: Turn::default(),
            replacement_lock: Arc::default(),
        }))
    }

    /// The name of the camera.
    pub fn camera(&self) -> &str {
        &self.0.camera
    }

    /// Which of the camera's components of this role it is, if there can be several.
    pub fn number(&self) -> Option<usize> {
        self.0.number
    }

    /// What log lines call the component: its role and its number, such as `filter 2`.
    pub fn label(&self) -> String {
        self.0.number.map_or_else(|| C::ROLE.to_owned(), |number| format!("{} {number}", C::ROLE))
    }

    /// The file of the component that the camera was configured with.
    pub fn file(&self) -> &Path {
        &self.0.file
    }

    /// The sandbox that the component runs in.
    pub fn sandbox(&self) -> &Arc<Sandbox> {
        &self.0.sandbox
    }

    /// A receiver that changes whenever there is another component, also when the first one is loaded.
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

    /// Starts an opening of the camera with the current component. If there is none, lets it be loaded from the file, and
    /// blocks for up to three seconds until that has happened. If it takes longer, fails, and [`changes`](Self::changes)
    /// tells when to try again.
    pub fn open(&self) -> Result<Opening<C>, Outage> {
        if self.current().is_none() {
            self.start_loading(Priority::Background, ());
            self.0.first_load.wait(|| self.current().is_some());
        }
        let failed = || self.0.first_load.outage(C::ROLE, &self.0.file.display().to_string());
        self.current().map(Opening::start).ok_or_else(failed)
    }

    /// The number of the current generation. `None` until a component could be loaded.
    pub fn generation(&self) -> Option<u64> {
        self.current().map(|generation| generation.lifecycle.number)
    }

    /// Loads the component from the file, unless that has happened, so that the first viewer need not wait for it. Logs
    /// why it cannot be loaded.
    pub async fn preload(&self) {
        let (end, ended) = oneshot::channel::<()>();
        self.start_loading(Priority::Unwatched, end);
        // The attempt drops the sender at its end.
        let _ = ended.await;
        if let Some(outage) = self.0.first_load.failure() {
            warn!(camera = self.camera(), "{}", outage.message);
        }
    }

    /// Loads the component from the file on a thread of its own, unless that is under way. Drops `end` afterwards.
    fn start_loading(&self, priority: Priority, end: impl Send + 'static) {
        let Some(attempt) = self.0.first_load.begin() else { return };
        let attempt = Arc::new(attempt);
        let (slot, loading) = (self.clone(), attempt.clone());
        let load = move || {
            slot.load_first(&loading, priority);
            drop((loading, end));
        };
        if let Err(error) = thread::Builder::new().name("camera-compiler".to_owned()).spawn(load) {
            let message = format!("cannot start a thread to load the {}: {error}", C::ROLE).into();
            attempt.fail_to_start(Outage { cause: OutageCause::Failed, message });
        }
    }

    /// Loads the component from the file, unless there is one. Blocks as [`CameraComponent::load`] does. The compiler
    /// ends with this process.
    fn load_first(&self, attempt: &Attempt, priority: Priority) {
        // Before the lock is taken: while a file system hangs, another component can be uploaded.
        let candidate = Candidate::read_for_camera(C::ROLE, &self.0.file);
        let _lock = self.0.replacement_lock.blocking_lock();
        if self.current().is_some() {
            return;
        }
        let digest = candidate.as_ref().ok().map(|candidate| candidate.digest.clone());
        if digest.as_ref().is_some_and(|digest| !attempt.may_load(digest)) {
            return;
        }
        let load = |candidate| C::load(&candidate, &self.0.sandbox, priority, &Cancellation::default());
        match candidate.and_then(load) {
            Ok(component) => self.install(component),
            Err(error) => {
                attempt.fail(digest, &error, outage(&error));
                // A camera tries again and again.
                self.state().refusals.add_new(error.kind(), error.to_string());
            }
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

    /// Like [`replace`](Self::replace), with what the file contains now. Reloads happen one after the other, and one that
    /// takes longer than [`TURN_TIMEOUT`](crate::process::turn::TURN_TIMEOUT) goes on without the caller. Must be called
    /// inside a Tokio runtime.
    pub async fn reload(&self) {
        let slot = self.clone();
        let reload = async move {
            let file = slot.0.file.clone();
            // Reading fails only if it panics.
            if let Ok(candidate) = spawn_blocking(move || Candidate::read_for_camera(C::ROLE, &file)).await {
                // The outcome is logged.
                let _ = slot.replace(candidate).await;
            }
        };
        if let Err(error) = self.0.reload_turn.run(reload).await {
            warn!(camera = self.camera(), "{} not reloaded: {error}", self.label());
        }
    }

    async fn try_replace(&self, candidate: Candidate, lock: OwnedMutexGuard<()>) -> Result<(), SwapError> {
        if let Some(current) = self.current()
            && current.lifecycle.digest == candidate.digest
        {
            self.log_unchanged(&current);
            return Ok(());
        }
        let (origin, slot) = (candidate.origin.clone(), self.clone());
        let load =
            move |cancellation: &Cancellation| C::load(&candidate, slot.sandbox(), Priority::Background, cancellation);
        let (_lock, component) = on_thread(origin, lock, load).await?;
        self.install(component);
        Ok(())
    }

    /// Makes a component the current one, unless a rollback has made the same one current meanwhile.
    fn install(&self, component: C) {
        let digest = component.identity().digest.clone();
        let mut state = self.state();
        if let Some(deployment) = &mut state.deployment {
            if deployment.current.lifecycle.digest == digest {
                let current = deployment.current.clone();
                drop(state);
                return self.log_unchanged(&current);
            }
            let transition = deployment.replace(component, digest);
            drop(state);
            return self.complete(&transition);
        }
        let first = Generation::start(FIRST_GENERATION, component, digest, false);
        state.deployment = Some(DeploymentState::new(first.clone()));
        drop(state);
        self.log_start(&first);
        self.0.first_load.wake();
        self.0.changes.send_replace(());
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
            state.deployment.as_mut().and_then(DeploymentState::roll_back).ok_or(NoRollbackTarget(C::ROLE))?
        };
        let number = transition.from.lifecycle.number;
        let label = self.label();
        info!(target: AUDIT_TARGET, camera = self.camera(), "{label}: rolling back from generation {number}");
        self.complete(&transition);
        Ok(())
    }

    /// The state at this moment.
    pub fn report(&self) -> SlotReport {
        let state = self.state();
        let deployment = state.deployment.as_ref();
        SlotReport {
            camera: self.0.camera.to_string(),
            role: C::ROLE,
            number: self.number(),
            file: self.0.file.display().to_string(),
            current: deployment.map(|deployment| Current::of(&deployment.current)),
            previous: deployment.and_then(|deployment| deployment.targets.previous()).map(Previous::of),
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
        let label = self.label();
        warn!(target: AUDIT_TARGET, camera = self.camera(), "{label} not replaced{continues}: {reason}");
    }

    /// Completes a change of generations.
    fn complete(&self, transition: &Transition<C>) {
        transition.from.enter(Phase::Replaced);
        self.log_start(&transition.to);
        self.0.changes.send_replace(());
    }

    fn log_start(&self, generation: &Generation<C>) {
        let Identity { origin, digest, .. } = generation.guest.identity();
        let number = generation.lifecycle.number;
        let (camera, label) = (self.camera(), self.label());
        info!(target: AUDIT_TARGET, camera, generation = number, "{label} {origin}, sha256 {digest}");
    }

    fn log_unchanged(&self, generation: &Generation<C>) {
        let number = generation.lifecycle.number;
        let label = self.label();
        info!(camera = self.camera(), "{label} not replaced, generation {number} already runs this component");
    }

    fn current(&self) -> Option<Arc<Generation<C>>> {
        self.state().deployment.as_ref().map(|deployment| deployment.current.clone())
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        // No code that holds the lock can leave the state inconsistent.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
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
