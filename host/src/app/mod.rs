//! The server: builds all parts from the options, connects them, and runs until a signal ends it.
//!
//! * `parts`: what can be built before the runtimes start. `confinement`: which rights the server keeps.
//! * `capacity`: how many connections, requests and guest instances there can be.
//! * `admin_listener`: the admin listener. `metrics_listener`: the listener for Prometheus. `side_listener`: what these
//!   two share. `listeners`: what all listeners share.
//! * `signals`: shutting down and reloading. `watchers`: the tasks that load again what has changed. `reload`: another
//!   configuration for a running server. `camera_tasks`: the supervisors of cameras. `component_tasks`: their drivers and
//!   filters; `component_needs`: whether there is room for these.
//! * `error`: the errors that end the server. `watchdog`: tells systemd that it works.

mod admin_listener;
mod camera_tasks;
mod capacity;
mod component_needs;
mod component_tasks;
mod confinement;
mod error;
mod listeners;
mod metrics_listener;
mod parts;
mod reload;
mod side_listener;
mod signals;
mod watchdog;
mod watchers;

use std::io;
use std::sync::Arc;

use hyper::service::service_fn;
use tokio::sync::mpsc;
use tracing::info;

use self::camera_tasks::supervise_all;
use self::component_needs::ComponentNeeds;
use self::component_tasks::ComponentTasks;
use self::parts::{Parts, build};
use self::reload::{AtStart, Reloadable, Reloader};
use self::signals::{catch_sighup, shutdown_signal};
use self::watchers::spawn_reloading;
use crate::channels::Channels;
use crate::config::serve_args::ServeArgs;
use crate::http::auth::Authenticator;
use crate::http::connection_task::HalfClose;
use crate::http::health::Health;
use crate::http::limits::{Admission, Connections};
use crate::http::listen::{InheritedSockets, SocketAccess};
use crate::http::observe::{AccessLog, Recorder};
use crate::http::policy::{AllowedOrigins, Cors, RequestGuard, SecurityHeaders};
use crate::http::proxies::TrustedProxies;
use crate::http::server;
use crate::http::service::Service;
use crate::http::stream::FanOuts;
use crate::http::tls::reload_when_changed;
use crate::process::runtimes::Runtimes;
use crate::process::supervisor::{BackgroundTasks, TaskEnded, catch_panic};
use crate::process::{heap, service_manager};
use crate::sandbox::{Invoker, Middleware};
use crate::status::Collector;
use crate::swap::ActiveGuest;
use crate::swap::publishers::publish_all;
use crate::swap::workers::run_workers;

pub use self::error::AppError;

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

/// Runs the server on the runtime for streams. What belongs to requests runs on the other.
async fn run(args: &ServeArgs, parts: Parts, runtimes: &Runtimes) -> Result<(), AppError> {
    let Parts {
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
    } = parts;
    let (streams, requests) = (runtimes.streams(), runtimes.requests());
    // Before the first camera opens, because filters of cameras need it.
    sandbox.run_pixels_on(requests.clone());
    let digest = candidate.digest.clone();
    let mut shutdown_signal = Box::pin(shutdown_signal()?);
    // Signals that arrive before the guest serves are handled when it does.
    let hangups = catch_sighup()?;

    let mut tasks = BackgroundTasks::default();
    // Not with the requests: a low-priority thread that holds the allocator's lock would delay streams.
    tasks.spawn_restarting("the heap trimmer", heap::trim_when_grown, streams);
    let (new_cameras, supervised) = mpsc::unbounded_channel();
    for camera in cameras.list().iter() {
        // Cannot fail: the receiver exists.
        let _ = new_cameras.send(camera.clone());
    }
    tasks.spawn("the supervisors of cameras", supervise_all(supervised), streams);
    let most_cameras = capacity::most_cameras(args);

    grants.outgoing.run_on(requests.clone());
    let components = Arc::new(ComponentTasks::new(requests.clone(), args.watch));
    components.replace_cameras(&configured);
    let (channels, new_channels) = Channels::new(most_cameras);
    let invoker = Invoker::new(
        sandbox.clone(),
        cameras.clone(),
        args.allow_control,
        grants,
        channels.clone(),
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

    confinement::warn_if_root();
    listeners::warn_about_unused(&binder);
    if let Some(certificates) = certificates.clone() {
        let reload = move || reload_when_changed(certificates.clone());
        tasks.spawn_restarting("the watcher of the TLS certificate", reload, requests);
    }

    let most_files = capacity::most_files(args, most_cameras);
    let most_connections = most_files.saturating_sub(ComponentNeeds::of_all(&args.cameras).files);
    let limits = capacity::connection_limits(args.into(), most_connections);
    let connections = Connections::new(limits, proxies.clone());
    let admission = Admission::new(capacity::request_limits(args.into(), limits));
    let stalled = connections.clone();
    tasks.spawn_restarting("the connection timeouts", move || stalled.clone().close_stalled(), requests);
    let health = Health::new(active_guest.clone(), cameras.clone());
    let recorder = Recorder::new(AccessLog::open(args.access_log, proxies.clone())?);
    let reloadable = Reloadable {
        cameras: cameras.clone(),
        new_cameras,
        devices,
        components: components.clone(),
        sandbox,
        authenticator: authenticator.clone(),
        certificates,
        connections: connections.clone(),
        admission: admission.clone(),
    };
    let start = AtStart {
        configured,
        most_cameras,
        max_requests: args.max_requests,
        most_component_instances: capacity::component_instances(args),
        most_files,
        may_start_programs,
    };
    let reloader = Arc::new(Reloader::new(args, reloadable, start));
    spawn_reloading(&mut tasks, requests, args, hangups, digest, &active_guest, &reloader);
    let collector = Collector {
        cameras,
        channels: channels.clone(),
        active_guest: active_guest.clone(),
        drivers: components.drivers().clone(),
        filters: components.filters().clone(),
        connections: connections.clone(),
        requests: recorder.stats().clone(),
    };
    if let Some(listener) = admin_listener {
        admin_listener::spawn(
            &mut tasks,
            requests,
            listener,
            collector.clone(),
            health.clone(),
            admin_access,
            reloader,
        );
    }
    if let Some(listener) = metrics_listener {
        metrics_listener::spawn(&mut tasks, requests, listener, collector, health.clone(), guard.clone());
    }
    let (urls, for_others) = (listeners.urls().collect::<Vec<_>>(), listeners.urls_for_others());
    for url in &urls {
        info!("open {url}");
    }
    for url in for_others {
        info!("other machines open {url}");
    }
    let self_connector = Arc::new(listeners.self_connector());
    let observers = (health.clone(), recorder);
    let fan_outs = FanOuts::new(streams.clone());
    let access = (guard, authenticator, admission, proxies);
    let service = Arc::new(viewer_service(args, access, active_guest.clone(), fan_outs, observers));
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

/// The service for viewers.
fn viewer_service(
    args: &ServeArgs,
    (guard, authenticator, admission, proxies): (RequestGuard, Arc<Authenticator>, Admission, TrustedProxies),
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
        admission,
        proxies,
        guard,
        authenticator,
        cors: Cors::new(origins),
        security_headers,
        health,
        recorder,
    }
}
