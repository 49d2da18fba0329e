//! The server: builds all parts from the options, connects them, and runs until a signal ends it.
//!
//! * `capacity`: how many connections, requests and guest instances there can be.
//! * `admin_listener`: the admin listener. `metrics_listener`: the listener for Prometheus. `side_listener`: what these
//!   two share. `listeners`: what all listeners share. `users`: who has access. `signals`: shutting down and reloading.
//! * `confinement`: which rights the server keeps.
//! * `error`: the errors that end the server. `watchdog`: tells systemd that it works.

mod admin_listener;
mod capacity;
mod confinement;
mod error;
mod listeners;
mod metrics_listener;
mod side_listener;
mod signals;
mod users;
mod watchdog;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::service::service_fn;
use tokio::runtime::Handle;
use tokio::signal::unix::Signal as SignalStream;
use tracing::{info, warn};

use self::signals::{Reloaded, catch_sighup, reload_on_sighup, shutdown_signal};
use self::users::UsersFile;
use crate::admin::Access;
use crate::camera::Cameras;
use crate::channels::Channels;
use crate::config::camera_spec::SourceSpec;
use crate::config::serve_args::ServeArgs;
use crate::config::{default_cache_dir, find_cameras};
use crate::drivers::Drivers;
use crate::filters::FilterSlots;
use crate::http::auth::Authenticator;
use crate::http::health::Health;
use crate::http::limits::{Connections, Limits};
use crate::http::listen::{Binder, InheritedSockets, SocketAccess};
use crate::http::observe::{AccessLog, Recorder};
use crate::http::policy::{AllowedHosts, AllowedOrigins, Cors, CsrfProtection, RequestGuard, SecurityHeaders};
use crate::http::proxies::TrustedProxies;
use crate::http::server::{self, HalfClose};
use crate::http::service::Service;
use crate::http::stream::FanOuts;
use crate::http::tls::{CertificateResolver, reload_when_changed};
use crate::process::runtimes::Runtimes;
use crate::process::supervisor::{BackgroundTasks, TaskEnded, catch_panic};
use crate::process::{heap, open_files, service_manager};
use crate::sandbox::{Candidate, CompileCache, Grants, Invoker, Middleware, Pixels, Sandbox, State};
use crate::status::Collector;
use crate::swap::ActiveGuest;
use crate::swap::active_guest::{GuestFile, MiddlewareFile};
use crate::swap::publishers::publish_all;
use crate::swap::watch::{Watched, watch};
use crate::swap::workers::run_workers;

pub use self::error::AppError;

/// What can be built before the runtimes start.
struct Parts {
    cameras: Cameras,
    /// `None` without TLS.
    certificates: Option<Arc<CertificateResolver>>,
    binder: Binder,
    guard: RequestGuard,
    users: UsersFile,
    admin_access: Access,
    grants: Grants,
    sandbox: Arc<Sandbox>,
    drivers: Drivers,
    filters: FilterSlots,
    candidate: Candidate,
}

/// Serves until SIGINT (Ctrl-C) or SIGTERM. Blocks.
pub fn serve(args: &ServeArgs, inherited: InheritedSockets) -> Result<(), AppError> {
    let parts = build(args, inherited)?;
    let runtimes = Runtimes::start()?;
    let result = runtimes.streams().block_on(run(args, parts, &runtimes));
    runtimes.shutdown_background();
    result?;
    info!("stopped");
    Ok(())
}

fn build(args: &ServeArgs, inherited: InheritedSockets) -> Result<Parts, AppError> {
    let has_driver = args.cameras.iter().any(|camera| matches!(camera.source, SourceSpec::Component(_)));
    if args.watch && args.guest.is_none() && args.middleware.is_empty() && !has_driver {
        return Err(AppError::NothingToWatch);
    }
    open_files::raise_limit();
    heap::configure();
    let sandbox = Arc::new(Sandbox::new(capacity::instances(args), args.guest_memory, open_cache(args))?);
    let (cameras, drivers, filters) = find_cameras(&args.cameras, args.into(), &|| Ok(sandbox.clone()))?;
    for camera in cameras.iter() {
        info!(camera = camera.name(), "{}", camera.description());
    }
    let certificates = listeners::certificates(args)?;
    let binder = listeners::binder(certificates.as_ref(), inherited)?;
    let guard = request_guard(args);
    let users = UsersFile::open(args)?;
    let admin_access = admin_listener::access(args, &guard, &users.authenticator)?;
    let mut grants = args.grants.grants()?;
    if let Some(file) = &args.guest_store {
        grants.state = State::open(file.clone())?;
    }
    info!("grants: {grants}");
    let candidate = Candidate::read(args.guest.as_deref())?;
    confinement::apply(args, cache_folder(args));
    Ok(Parts {
        cameras,
        certificates,
        binder,
        guard,
        users,
        admin_access,
        grants,
        sandbox,
        drivers,
        filters,
        candidate,
    })
}

/// Runs the server on the runtime for streams. What belongs to requests runs on the other.
async fn run(args: &ServeArgs, parts: Parts, runtimes: &Runtimes) -> Result<(), AppError> {
    let Parts {
        cameras,
        certificates,
        binder,
        guard,
        users,
        admin_access,
        grants,
        sandbox,
        drivers,
        filters,
        candidate,
    } = parts;
    let (streams, requests) = (runtimes.streams(), runtimes.requests());
    let digest = candidate.digest.clone();
    let mut shutdown_signal = Box::pin(shutdown_signal()?);
    // Signals that arrive before the guest serves are handled when it does.
    let hangups = catch_sighup()?;

    let mut tasks = BackgroundTasks::default();
    // Not with the requests: a low-priority thread that holds the allocator's lock would delay streams.
    tasks.spawn_restarting("the heap trimmer", heap::trim_when_grown, streams);
    for camera in cameras.iter() {
        let camera = camera.clone();
        let name = format!("the supervisor of camera {}", camera.name());
        tasks.spawn_restarting(&name, move || camera.clone().supervise(), streams);
    }

    grants.outgoing.run_on(requests.clone());
    drivers.run_requests_on(requests);
    let preloading = drivers.clone();
    let preloading_filters = filters.clone();
    requests.spawn(async move {
        preloading.preload().await;
        preloading_filters.preload().await;
    });
    let (channels, new_channels) = Channels::new(cameras.iter().count());
    let invoker = Invoker::new(
        sandbox,
        cameras.clone(),
        args.allow_control,
        grants,
        channels.clone(),
        Pixels::new(requests.clone()),
        args.answer_timeout,
    );
    let active_guest = tokio::select! {
        started = ActiveGuest::start(invoker, candidate, Middleware::new(&args.middleware), args.drain) => started?,
        // Compiling and checking the guest can take a while.
        () = &mut shutdown_signal => return Ok(()),
    };

    let (mut listeners, admin_listener, metrics_listener) = {
        // A runtime wakes only sockets that were created inside it.
        let _requests = requests.enter();
        // A reverse proxy runs as another user. Its group may connect to a Unix socket.
        let viewers = binder.bind(&args.listen, "--listen", SocketAccess::Group)?;
        (viewers, admin_listener::bind(args, &binder)?, metrics_listener::bind(args, &binder)?)
    };
    let publishing = publish_all(channels.clone(), new_channels, active_guest.clone());
    tasks.spawn("the channel publisher", publishing, streams);
    let guest = active_guest.clone();
    tasks.spawn_restarting("the guest's worker", move || run_workers(guest.clone()), requests);
    let authenticator = users.authenticator.clone();
    let reloaded = Reloaded { users, drivers: drivers.clone(), filters: filters.clone() };
    spawn_reloading(&mut tasks, requests, args, hangups, digest, &active_guest, &reloaded);

    confinement::warn_if_root();
    listeners::warn_about_unused(&binder);
    if let Some(certificates) = certificates {
        let reload = move || reload_when_changed(certificates.clone());
        tasks.spawn_restarting("the watcher of the TLS certificate", reload, requests);
    }

    let limits = capacity::connection_limits(args, cameras.iter().count());
    let connections = Connections::new(limits, TrustedProxies::new(&args.trusted_proxy));
    let stalled = connections.clone();
    tasks.spawn_restarting("the connection timeouts", move || stalled.clone().close_stalled(), requests);
    let health = Health::new(active_guest.clone(), cameras.clone());
    let recorder = Recorder::new(AccessLog::open(args.access_log, TrustedProxies::new(&args.trusted_proxy))?);
    let collector = Collector {
        cameras,
        channels: channels.clone(),
        active_guest: active_guest.clone(),
        drivers,
        filters,
        connections: connections.clone(),
        requests: recorder.stats().clone(),
    };
    if let Some(listener) = admin_listener {
        admin_listener::spawn(&mut tasks, requests, listener, collector.clone(), health.clone(), admin_access);
    }
    if let Some(listener) = metrics_listener {
        metrics_listener::spawn(&mut tasks, requests, listener, collector, health.clone(), guard.clone());
    }
    let urls: Vec<_> = listeners.urls().collect();
    for url in &urls {
        info!("open {url}");
    }
    let self_connector = Arc::new(listeners.self_connector());
    let observers = (health.clone(), recorder);
    let fan_outs = FanOuts::new(streams.clone());
    let service =
        Arc::new(viewer_service(args, limits, guard, authenticator, active_guest.clone(), fan_outs, observers));
    let handler = service_fn(move |request| {
        let service = service.clone();
        async move { service.answer(request).await }
    });
    let shutdown = async move {
        shutdown_signal.await;
        service_manager::stopping();
        health.shut_down();
        // Streams do not end on their own. They end here, each after a whole part.
        channels.shut_down();
        active_guest.shut_down();
    };
    let serving = server::serve(listeners, handler, connections, HalfClose::Answer, shutdown);
    let mut serving = requests.spawn(catch_panic(serving));
    service_manager::ready(&format!("serving at {}", urls.join(" ")));
    // Only a service that is ready has a watchdog.
    if let Some(timeout) = service_manager::watchdog_timeout() {
        let streams = streams.clone();
        let feed = move || {
            let (connector, streams) = (self_connector.clone(), streams.clone());
            async move { watchdog::feed_while_serving(&connector, &streams, timeout).await }
        };
        tasks.spawn_restarting("the watchdog", feed, requests);
    }
    tokio::select! {
        served = &mut serving => {
            let panicked = |panicked| TaskEnded::Panicked { name: "the server".to_owned(), panicked };
            served.map_err(io::Error::from)?.map_err(panicked)?;
        }
        ended = tasks.ended() => {
            serving.abort();
            return Err(ended.into());
        }
    }
    tasks.shutdown().await;
    Ok(())
}

/// Spawns the tasks that reload the users, the guest, the drivers and the filters at SIGHUP and, with `--watch`, all but
/// the users when their files or a file of middleware change. `digest` is that of the guest that was read from the file at the start.
fn spawn_reloading(
    tasks: &mut BackgroundTasks,
    runtime: &Handle,
    args: &ServeArgs,
    hangups: SignalStream,
    digest: Arc<str>,
    active_guest: &ActiveGuest,
    reloaded: &Reloaded,
) {
    let (mut hangups, file, guest) = (Some(hangups), args.guest.clone(), active_guest.clone());
    let all = reloaded.clone();
    let reload = move || reload_on_sighup(hangups.take(), file.clone(), guest.clone(), all.clone());
    tasks.spawn_restarting("the SIGHUP handler", reload, runtime);
    if !args.watch {
        return;
    }
    if let Some(file) = args.guest.clone() {
        spawn_watcher(tasks, runtime, file, Some(digest), GuestFile(active_guest.clone()));
    }
    let composition = active_guest.composition();
    for part in composition.iter().flat_map(|composition| composition.middleware.iter()) {
        let digest = Some(part.component.digest.clone());
        spawn_watcher(tasks, runtime, part.path.clone(), digest, MiddlewareFile(active_guest.clone()));
    }
    for driver in reloaded.drivers.iter() {
        // A driver that is loaded already is not loaded again.
        spawn_watcher(tasks, runtime, driver.file().to_owned(), None, driver.clone());
    }
    for filter in reloaded.filters.iter() {
        spawn_watcher(tasks, runtime, filter.file().to_owned(), None, filter.clone());
    }
}

fn spawn_watcher(
    tasks: &mut BackgroundTasks,
    runtime: &Handle,
    file: PathBuf,
    digest: Option<Arc<str>>,
    component: impl Watched,
) {
    let component = Arc::new(component);
    let name = format!("the watcher of {}", file.display());
    tasks.spawn_restarting(&name, move || watch(file.clone(), digest.clone(), component.clone()), runtime);
}

/// The service for viewers.
fn viewer_service(
    args: &ServeArgs,
    limits: Limits,
    guard: RequestGuard,
    authenticator: Arc<Authenticator>,
    active_guest: ActiveGuest,
    fan_outs: FanOuts,
    (health, recorder): (Health, Recorder),
) -> Service {
    let origins = AllowedOrigins::new(&args.allow_origin);
    let security_headers =
        if args.allow_control { SecurityHeaders::restrict_framing(&origins) } else { SecurityHeaders::new() };
    Service {
        active_guest,
        fan_outs,
        admission: capacity::admission(args, limits),
        proxies: TrustedProxies::new(&args.trusted_proxy),
        guard,
        authenticator,
        cors: Cors::new(origins),
        security_headers,
        health,
        recorder,
    }
}

/// The checks that every request must pass.
fn request_guard(args: &ServeArgs) -> RequestGuard {
    let hosts = AllowedHosts::new(&args.allow_host);
    let origins = AllowedOrigins::new(&args.allow_origin);
    if args.allow_control && origins.allows_any() {
        warn!("--allow-control with --allow-origin '*' lets every web page that a viewer opens set camera controls");
    }
    let proxies = TrustedProxies::new(&args.trusted_proxy);
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
