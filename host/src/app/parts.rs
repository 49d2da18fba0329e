//! What can be built before the runtimes start.

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use tracing::{info, warn};

use super::error::AppError;
use super::{admin_listener, capacity, confinement, listeners};
use crate::admin::Access;
use crate::camera::Cameras;
use crate::camera::v4l2::Devices;
use crate::config::serve_args::ServeArgs;
use crate::config::users::rules_of;
use crate::config::{ConfiguredCamera, contradictions, default_cache_dir, find_cameras};
use crate::http::auth::Authenticator;
use crate::http::listen::{Binder, InheritedSockets};
use crate::http::policy::{AllowedHosts, AllowedOrigins, CsrfProtection, RequestGuard};
use crate::http::proxies::TrustedProxies;
use crate::http::tls::CertificateResolver;
use crate::process::confinement::own_program;
use crate::process::{heap, open_files};
use crate::sandbox::{Candidate, CompileCache, Grants, Sandbox, SandboxError, State};

/// What can be built before the runtimes start.
pub(super) struct Parts {
    pub(super) cameras: Cameras,
    /// The same cameras, and what they were created from.
    pub(super) configured: Vec<ConfiguredCamera>,
    pub(super) devices: Devices,
    /// `None` without TLS.
    pub(super) certificates: Option<Arc<CertificateResolver>>,
    pub(super) binder: Binder,
    pub(super) proxies: TrustedProxies,
    pub(super) guard: RequestGuard,
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) admin_access: Access,
    pub(super) grants: Grants,
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) candidate: Candidate,
    /// Whether cameras may start programs.
    pub(super) may_start_programs: bool,
}

/// Builds the parts, and takes rights from the server that it does not need. Blocks.
pub(super) fn build(args: &ServeArgs, inherited: InheritedSockets) -> Result<Parts, AppError> {
    contradictions::check(args)?;
    open_files::raise_limit();
    heap::configure();
    // Before the sandbox reserves its address space in thousands of pieces, all of which this would read.
    let program = own_program();
    // To reserve it takes as long as all that is built meanwhile.
    let instances = capacity::instances(args, capacity::most_cameras(args));
    let (memory_mib, cache) = (args.guest_memory, open_cache(args));
    let new_sandbox = move || Sandbox::new(instances, memory_mib, cache);
    let sandbox = thread::Builder::new().name("sandbox".to_owned()).spawn(new_sandbox).map_err(SandboxError::Thread)?;
    let devices = Devices::new();
    let certificates = listeners::certificates(args)?;
    let binder = listeners::binder(certificates.as_ref(), inherited)?;
    let proxies = TrustedProxies::new(&args.trusted_proxy);
    let guard = request_guard(args, proxies.clone());
    let authenticator = Arc::new(Authenticator::new(rules_of(args)?, proxies.clone())?);
    let admin_access = admin_listener::access(args, &guard, &authenticator)?;
    let mut grants = args.grants.grants()?;
    if let Some(file) = &args.guest_store {
        grants.state = State::open(file.clone())?;
    }
    let sandbox = Arc::new(sandbox.join().unwrap_or_else(|panic| resume_unwind(panic))?);
    let cameras = Cameras::default();
    let configured = find_cameras(&args.cameras, args.into(), &devices, &|| Ok(sandbox.clone()), &cameras)?;
    for camera in cameras.list().iter() {
        info!(camera = camera.name(), "{}", camera.description());
    }
    info!("grants: {grants}");
    let candidate = Candidate::read(args.guest.as_deref())?;
    let may_start_programs = confinement::apply(args, cache_folder(args), program);
    Ok(Parts {
        cameras,
        configured,
        devices,
        certificates,
        binder,
        proxies,
        guard,
        authenticator,
        admin_access,
        grants,
        sandbox,
        candidate,
        may_start_programs,
    })
}

/// The checks that every request must pass.
fn request_guard(args: &ServeArgs, proxies: TrustedProxies) -> RequestGuard {
    let hosts = AllowedHosts::new(&args.allow_host);
    let origins = AllowedOrigins::new(&args.allow_origin);
    if args.allow_control && origins.allows_any() {
        warn!("--allow-control with --allow-origin '*' lets every web page that a viewer opens set camera controls");
    }
    RequestGuard::new(hosts.clone(), CsrfProtection::new(origins, hosts, proxies))
}

/// The folder for compiled guests, if there is one.
fn cache_folder(args: &ServeArgs) -> Option<PathBuf> {
    if args.no_cache { None } else { args.cache.clone().or_else(default_cache_dir) }
}

/// Opens the compile cache. If there is none, the log says why.
fn open_cache(args: &ServeArgs) -> Option<CompileCache> {
    if args.no_cache {
        return None;
    }
    let Some(folder) = cache_folder(args) else {
        warn!("compiled guests are not cached: HOME is not set; see --cache");
        return None;
    };
    CompileCache::open(&folder).inspect_err(|error| warn!("compiled guests are not cached: {error}; see --cache")).ok()
}
