//! Reloading the configuration of a running server, at SIGHUP and by the admin listener.
//!
//! Everything that can fail happens first, so that a configuration that cannot be used changes nothing.

mod report;

use std::env;
use std::sync::Arc;

use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::{JoinError, spawn_blocking};
use tracing::{info, warn};

use self::report::Changes;
pub(super) use self::report::ReloadReport;
use super::capacity::{self, LimitOptions};
use super::component_needs::{ComponentNeeds, ComponentRoom};
use super::component_tasks::ComponentTasks;
use crate::camera::v4l2::Devices;
use crate::camera::{Camera, Cameras};
use crate::config::camera_spec::CameraSpec;
use crate::config::contradictions::{self, Contradiction};
use crate::config::serve_args::ServeArgs;
use crate::config::users::{UsersError, rules_of};
use crate::config::{
    CameraChange, CameraChanges, CamerasError, CommonOptions, ConfiguredCamera, LoadError, NeedsRestart, OptionValues,
    change_cameras, load,
};
use crate::http::auth::{Authenticator, Rules};
use crate::http::limits::{Admission, Connections};
use crate::http::tls::{CertificateFiles, CertificateResolver, TlsError};
use crate::process::turn::{Turn, TurnError};
use crate::sandbox::Sandbox;

/// The options that a reload applies.
const RELOADABLE: [&str; 7] = [
    "camera",
    USERS,
    "tls_certificate",
    "tls_key",
    LimitOptions::MAX_REQUESTS,
    LimitOptions::MAX_CONNECTIONS,
    LimitOptions::MAX_CONNECTIONS_PER_ADDRESS,
];
const USERS: &str = "users";

/// Why the configuration was not reloaded. Nothing has changed then, unless it is [`Turn`](Self::Turn).
#[derive(Debug, thiserror::Error)]
pub(super) enum ReloadError {
    /// The configuration is invalid.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The options are not valid together.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// A camera cannot be used.
    #[error(transparent)]
    Cameras(#[from] CamerasError),
    /// There is no room for so many cameras.
    #[error("it has {0} cameras, and without a restart there can be {1}")]
    TooManyCameras(usize, usize),
    /// The users cannot be used.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The thread that reads it has failed.
    #[error("it cannot be read because of a bug in hotshoe: {0}")]
    Thread(#[from] JoinError),
    /// It has not been reloaded yet.
    #[error(transparent)]
    Turn(#[from] TurnError),
}

impl ReloadError {
    /// Whether the same configuration may be usable later.
    pub(super) fn is_temporary(&self) -> bool {
        matches!(self, Self::Turn(error) if error.is_temporary())
    }
}

/// Reloads the configuration of a running server.
pub(super) struct Reloader {
    /// Reloads happen one at a time.
    turn: Turn,
    running: AsyncMutex<Running>,
    /// The values at the start.
    values: OptionValues,
    common: CommonOptions,
    reloadable: Reloadable,
    start: AtStart,
}

/// What reloads have changed so far.
struct Running {
    cameras: Vec<ConfiguredCamera>,
    limits: LimitOptions,
    /// What the components of the cameras need.
    needs: ComponentNeeds,
}

/// What a reload changes, or needs for that.
pub(super) struct Reloadable {
    pub(super) cameras: Cameras,
    /// Cameras to supervise.
    pub(super) new_cameras: mpsc::UnboundedSender<Arc<Camera>>,
    pub(super) devices: Devices,
    pub(super) components: Arc<ComponentTasks>,
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) authenticator: Arc<Authenticator>,
    /// `None` without TLS.
    pub(super) certificates: Option<Arc<CertificateResolver>>,
    pub(super) connections: Arc<Connections>,
    pub(super) admission: Admission,
}

/// What the start has determined.
pub(super) struct AtStart {
    /// The cameras.
    pub(super) configured: Vec<ConfiguredCamera>,
    /// How many cameras there can be.
    pub(super) most_cameras: usize,
    /// How many requests the instances of the guest are enough for.
    pub(super) max_requests: u32,
    /// How many instances of the components of cameras were reserved.
    pub(super) most_component_instances: u32,
    /// How many connections, and files of the components of cameras, the limit on open files allows together.
    pub(super) most_files: usize,
    /// Whether the server is not confined, so that cameras may start programs.
    pub(super) may_start_programs: bool,
}

/// A configuration that was read and can be used.
struct Prepared {
    args: ServeArgs,
    cameras: CameraChanges,
    rules: Rules,
    /// Whether another certificate is in use. `None` if there is none.
    certificate: Option<bool>,
}

impl Reloader {
    /// Reloads what was started with `args`.
    pub(super) fn new(args: &ServeArgs, reloadable: Reloadable, mut start: AtStart) -> Self {
        let needs = ComponentNeeds::of_all(&args.cameras);
        let running = Running { cameras: std::mem::take(&mut start.configured), limits: args.into(), needs };
        let (values, common) = (args.values.clone(), args.into());
        Self { turn: Turn::default(), running: AsyncMutex::new(running), values, common, reloadable, start }
    }

    /// Reads the configuration again: the file, with the command line and the environment as they were at the start.
    /// Applies what can be changed, and logs the outcome. A client that leaves does not end it halfway.
    ///
    /// If it takes longer than [`TURN_TIMEOUT`](crate::process::turn::TURN_TIMEOUT), because a file system hangs, this
    /// fails. The configuration is applied when it could be read.
    pub(super) async fn reload(self: Arc<Self>) -> Result<ReloadReport, ReloadError> {
        let this = self.clone();
        let reloading = async move {
            let outcome = this.reload_once(&mut *this.running.lock().await).await;
            match &outcome {
                Ok(report) => report.log(),
                Err(error) => warn!("the configuration is not reloaded, and nothing changes: {error}"),
            }
            outcome
        };
        match self.turn.run(reloading).await {
            Ok(outcome) => outcome,
            Err(error) => {
                warn!("the configuration is not reloaded: {error}");
                Err(error.into())
            }
        }
    }

    /// The drivers and filters of the cameras, which change with them.
    pub(super) fn components(&self) -> &ComponentTasks {
        &self.reloadable.components
    }

    async fn reload_once(self: &Arc<Self>, running: &mut Running) -> Result<ReloadReport, ReloadError> {
        let (this, before) = (self.clone(), running.cameras.clone());
        // Reading files and opening devices blocks.
        let Prepared { args, cameras, rules, certificate } = spawn_blocking(move || this.prepare(&before)).await??;
        // From here on, nothing can fail.
        let mut report = ReloadReport { certificate: certificate.unwrap_or_default(), ..ReloadReport::default() };
        report.needs_restart = self.values.differences(&args.values);
        report.needs_restart.retain(|key| !RELOADABLE.contains(&key.as_str()));
        for NeedsRestart { name, reason } in &cameras.needs_restart {
            let key = format!("cameras.{name}");
            report.needs_restart.push(key.clone());
            report.reasons.insert(key, reason.clone());
        }
        self.replace_rules(rules, &mut report);
        report.cameras = self.replace_cameras(&mut running.cameras, cameras);
        self.replace_limits(running, (&args).into(), &mut report);
        Ok(report)
    }

    /// Reads the configuration, and all that it names. Replaces the certificate if everything else can be used.
    fn prepare(&self, before: &[ConfiguredCamera]) -> Result<Prepared, ReloadError> {
        let Reloadable { cameras, devices, sandbox, certificates, .. } = &self.reloadable;
        let AtStart { most_cameras, may_start_programs, most_component_instances, most_files, .. } = self.start;
        let args = load(env::args_os(), |name| env::var_os(name))?.serve;
        contradictions::check_running(&args)?;
        if args.cameras.len() > most_cameras {
            return Err(ReloadError::TooManyCameras(args.cameras.len(), most_cameras));
        }
        let rules = rules_of(&args)?;
        let sandbox = || Ok(sandbox.clone());
        let specs = &args.cameras;
        let files = capacity::most_component_files(most_files);
        let most = ComponentNeeds { instances: most_component_instances, files };
        let mut room = ComponentRoom::new(most, needs_of(before));
        let permit = |change: CameraChange<'_>| {
            if change.after.is_some_and(CameraSpec::runs_program) && !may_start_programs {
                return Err(
                    "a server without such a camera at the start gives up the right to start programs".to_owned()
                );
            }
            room.change(change)
        };
        let changes = change_cameras(before, specs, cameras, self.common, devices, &sandbox, permit)?;
        if changes.all.len() > most_cameras {
            return Err(ReloadError::TooManyCameras(changes.all.len(), most_cameras));
        }
        let files = args.tls_certificate.clone().zip(args.tls_key.clone());
        let certificate = match (certificates, files) {
            (Some(resolver), Some((certificate, key))) => {
                Some(resolver.replace(CertificateFiles { certificate, key })?)
            }
            _ => None,
        };
        Ok(Prepared { args, cameras: changes, rules, certificate })
    }

    fn replace_rules(&self, rules: Rules, report: &mut ReloadReport) {
        let authenticator = &self.reloadable.authenticator;
        let before = authenticator.rules();
        if rules.admit_anyone() && !before.admit_anyone() {
            // Whoever wants to open the server to everyone does not do so by deleting a line.
            report.needs_restart.push(USERS.to_owned());
            return;
        }
        report.compare_rules(&before, &rules);
        authenticator.replace(rules);
    }

    fn replace_limits(&self, running: &mut Running, mut limits: LimitOptions, report: &mut ReloadReport) {
        let Reloadable { connections, admission, .. } = &self.reloadable;
        // Instances of the guest are reserved at the start.
        if limits.max_requests > self.start.max_requests {
            report.needs_restart.push(LimitOptions::MAX_REQUESTS.to_owned());
            limits.max_requests = running.limits.max_requests;
        }
        report.limits = running.limits.differences(limits);
        let needs = needs_of(&running.cameras);
        // Drivers leave fewer files for connections.
        if !report.limits.is_empty() || needs != running.needs {
            let most_connections = self.start.most_files.saturating_sub(needs.files);
            let connection_limits = capacity::connection_limits(limits, most_connections);
            connections.set_limits(connection_limits);
            admission.set_limits(capacity::request_limits(limits, connection_limits));
            running.limits = limits;
            running.needs = needs;
        }
    }

    fn replace_cameras(&self, running: &mut Vec<ConfiguredCamera>, changes: CameraChanges) -> Changes {
        let CameraChanges { all, added, changed, removed, .. } = changes;
        let is_in = |list: &[ConfiguredCamera], camera: &Arc<Camera>| {
            list.iter().any(|other| Arc::ptr_eq(&other.camera, camera))
        };
        let before = std::mem::replace(running, all);
        let is_same = |(one, other): (&ConfiguredCamera, &ConfiguredCamera)| Arc::ptr_eq(&one.camera, &other.camera);
        if before.len() != running.len() || !before.iter().zip(running.iter()).all(is_same) {
            self.reloadable.cameras.replace(running.iter().map(|configured| configured.camera.clone()).collect());
            self.reloadable.components.replace_cameras(running);
        }
        for ConfiguredCamera { camera, .. } in before.iter().filter(|old| !is_in(running, &old.camera)) {
            let verb = if removed.iter().any(|name| name == camera.name()) { "removed" } else { "changed" };
            info!(camera = camera.name(), "{verb} by the configuration; its streams end");
            camera.remove();
        }
        for ConfiguredCamera { camera, .. } in running.iter().filter(|new| !is_in(&before, &new.camera)) {
            info!(camera = camera.name(), "{}", camera.description());
            // Fails during shutdown.
            let _ = self.reloadable.new_cameras.send(camera.clone());
        }
        Changes { added, changed, removed }
    }
}

/// What the components of these cameras need.
fn needs_of(cameras: &[ConfiguredCamera]) -> ComponentNeeds {
    ComponentNeeds::of_all(cameras.iter().map(|configured| &configured.spec))
}
