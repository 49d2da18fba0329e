//! Puts the parts together: cameras, sandbox, guest, servers.

use std::future::pending;
use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::service::service_fn;
use rustix::process::{getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use crate::admin::{Access, Admin, TokenError};
use crate::camera::v4l2::Devices;
use crate::channels::Channels;
use crate::commands::template;
use crate::config::admin_address::AdminAddress;
use crate::config::cli::ServeArgs;
use crate::config::{CamerasError, default_cache, find_cameras};
use crate::http::limits::{Admission, Connections, Limits};
use crate::http::listen::{ListenAddress, ListenError, Listeners, SocketAccess};
use crate::http::policy::{AllowedHosts, AllowedOrigins, Cors, CsrfProtection, RequestGuard, SecurityHeaders};
use crate::http::proxies::TrustedProxies;
use crate::http::server::{self, HalfClose};
use crate::http::service::Service;
use crate::process::heap;
use crate::process::open_files;
use crate::process::runtimes::Runtimes;
use crate::process::supervisor::{BackgroundTasks, Ended, Panicked, catch_panic};
use crate::sandbox::{Candidate, CompileCache, Invoker, LoadError, MAX_IDLE_INSTANCES, Sandbox, SandboxError};
use crate::swap::publishers::publish_all;
use crate::swap::watch::watch;
use crate::swap::{Generations, SwapError};

/// Where the admin listener is unless that was typed.
const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5001);

/// The most connections to the admin listener. One replaces the guest, others look; each uploads no more than one guest.
const ADMIN_CONNECTIONS: usize = 8;

/// How many connections without a request there may be beside those with one: browsers keep some open.
const IDLE_CONNECTIONS: usize = 1000;

/// There are as many connections as this even if too few files are left: the server would be of no use without.
const FEWEST_CONNECTIONS: usize = 4;

/// Why the program ended without having done what it was asked. One line, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A camera is not there.
    #[error(transparent)]
    Cameras(#[from] CamerasError),
    /// The guest can't be read.
    #[error(transparent)]
    Guest(#[from] LoadError),
    /// The guest can't be used.
    #[error(transparent)]
    Swap(#[from] SwapError),
    /// There is no token for the admin listener.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The admin listener would let everyone in.
    #[error("an admin listener at {0} needs a token: give a file that holds one with --admin-token-file")]
    Unguarded(ListenAddress),
    /// There is no new guest.
    #[error(transparent)]
    Template(#[from] template::TemplateError),
    /// There is no sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// There is no address to serve at.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A part of the server that it cannot do without, and that cannot be restarted, is gone.
    #[error("the server cannot go on: {0}")]
    Ended(#[from] Ended),
    /// A file can't be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The operating system refuses what every program needs.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// Serve until the program is told to end by SIGINT (Ctrl-C) or SIGTERM.
pub fn serve(args: &ServeArgs) -> Result<(), AppError> {
    let cameras = find_cameras(args)?;
    for camera in cameras.iter() {
        info!(camera = camera.name(), "{}", camera.description());
    }
    let guard = request_guard(args);
    let access = admin_access(args, &guard)?;
    open_files::raise_limit();
    heap::limit_arenas();
    // One for each stream that its guest writes itself, and for each other request; for the guest that is tried out before
    // it serves, for the spares of the one that serves and of the one before, and for each channel's publisher, and the one
    // that takes over from it.
    let sandbox = Sandbox::new(
        2 * args.max_requests + 1 + 2 * MAX_IDLE_INSTANCES + 2 * Channels::limit(cameras.iter().count()),
        args.guest_memory,
        open_cache(args),
    )?;
    let candidate = Candidate::read(args.guest.as_deref())?;
    let digest = candidate.digest.clone();
    let runtimes = Runtimes::start()?;
    let result = runtimes.streams().block_on(async {
        let (streams, requests) = (runtimes.streams(), runtimes.requests());
        let mut told_to_end = Box::pin(end_signals()?);
        // From here on it does not end the program.
        let _hangups = signal(SignalKind::hangup())?;
        let mut tasks = BackgroundTasks::default();
        // Not with the requests: a thread of low priority that holds the allocator's lock would hold up streams.
        tasks.spawn_restarting("the trimming of the heap", heap::trim_when_grown, streams);
        for camera in cameras.iter() {
            let camera = camera.clone();
            let name = format!("the supervisor of camera {}", camera.name());
            tasks.spawn_restarting(&name, move || camera.clone().supervise(), streams);
        }
        let (channels, beginning) = Channels::new(cameras.iter().count(), streams.clone());
        let invoker = Invoker::new(sandbox, cameras.clone(), args.allow_control, channels.clone(), args.answer_timeout);
        let generations = tokio::select! {
            started = Generations::start(invoker, candidate, args.drain) => started?,
            // A guest may take some time to be tried out.
            () = &mut told_to_end => return Ok(()),
        };
        // Sockets are woken by the runtime in which they are made.
        let (listeners, admin) = {
            let _requests = requests.enter();
            // A reverse proxy runs as another user, and may be let in by its group.
            (Listeners::bind(&args.listen, "--listen", SocketAccess::Group)?, admin_listener(args)?)
        };
        tasks.spawn(
            "the publisher of channels",
            publish_all(channels.clone(), beginning, generations.clone()),
            streams,
        );
        let (file, by_signal) = (args.guest.clone(), generations.clone());
        tasks.spawn_restarting("the handler of SIGHUP", move || load_again(file.clone(), by_signal.clone()), requests);
        if let Some(file) = args.guest.clone().filter(|_| args.watch) {
            let generations = generations.clone();
            let watch = move || watch(file.clone(), digest.clone(), generations.clone());
            tasks.spawn_restarting("the watcher of the guest's file", watch, requests);
        }
        let proxies = TrustedProxies::new(&args.trusted_proxy);
        if let Some(listener) = admin {
            let limits = Limits { total: ADMIN_CONNECTIONS, per_address: ADMIN_CONNECTIONS };
            let connections = Connections::new(limits, TrustedProxies::default());
            let stalled = connections.clone();
            tasks.spawn_restarting(
                "the admin listener's time limits",
                move || stalled.clone().close_stalled(),
                requests,
            );
            let admin = Arc::new(Admin::new(generations.clone(), access));
            tasks.spawn("the admin listener", serve_admin(listener, admin, connections), requests);
        }
        let limits = connection_limits(args, cameras.iter().count());
        let connections = Connections::new(limits, proxies.clone());
        let stalled = connections.clone();
        tasks.spawn_restarting("the connections' time limits", move || stalled.clone().close_stalled(), requests);
        let shutdown = {
            let generations = generations.clone();
            async move {
                told_to_end.await;
                // Streams have no end of their own: they are ended here, each after a whole part.
                channels.shut_down();
                generations.shut_down();
            }
        };
        for url in listeners.urls() {
            info!("open {url}");
        }
        let origins = AllowedOrigins::new(&args.allow_origin);
        let security_headers =
            if args.allow_control { SecurityHeaders::restrict_framing(&origins) } else { SecurityHeaders::new() };
        let admission = admission(args, limits);
        let service = Service::new(generations, admission, proxies, guard, Cors::new(origins), security_headers);
        let service = Arc::new(service);
        let answer = service_fn(move |request| {
            let service = service.clone();
            async move { service.answer(request).await }
        });
        let mut serving =
            requests.spawn(catch_panic(server::serve(listeners, answer, connections, HalfClose::Answer, shutdown)));
        tokio::select! {
            served = &mut serving => served.map_err(io::Error::from)?.map_err(server_panicked)?,
            ended = tasks.ended() => {
                serving.abort();
                return Err(ended.into());
            }
        }
        tasks.shutdown().await;
        Ok::<_, AppError>(())
    });
    runtimes.shutdown_background();
    result?;
    info!("stopped");
    Ok(())
}

fn server_panicked(panicked: Panicked) -> Ended {
    Ended::Panicked { name: "the server".to_owned(), panicked }
}

/// The compile cache that was asked for. Where there can be none, the log says why.
fn open_cache(args: &ServeArgs) -> Option<CompileCache> {
    if args.no_cache {
        return None;
    }
    let Some(folder) = args.cache.clone().or_else(default_cache) else {
        warn!("compiled guests are not kept, each start compiles: there is no HOME to keep them in; see --cache");
        return None;
    };
    CompileCache::open(&folder)
        .inspect_err(|error| warn!("compiled guests are not kept, each start compiles: {error}; see --cache"))
        .ok()
}

/// Which requests are refused before anything looks at them.
fn request_guard(args: &ServeArgs) -> RequestGuard {
    let hosts = AllowedHosts::new(&args.allow_host);
    let origins = AllowedOrigins::new(&args.allow_origin);
    if args.allow_control && origins.allows_any() {
        warn!(
            "with --allow-control and --allow-origin '*', every web page that a viewer opens can set the cameras' controls"
        );
    }
    let proxies = TrustedProxies::new(&args.trusted_proxy);
    RequestGuard::new(hosts.clone(), CsrfProtection::new(origins, hosts, proxies))
}

/// Who is let in at the admin listener. Fails where that would be everyone.
fn admin_access(args: &ServeArgs, guard: &RequestGuard) -> Result<Access, AppError> {
    let token_file = args.admin_token_file.as_deref();
    match &args.admin {
        Some(AdminAddress::Listen(address)) if token_file.is_none() && !address.is_local() => {
            Err(AppError::Unguarded(address.clone()))
        }
        Some(AdminAddress::Listen(ListenAddress::Unix(_))) => Ok(Access::new(token_file, None)?),
        _ => Ok(Access::new(token_file, Some(guard.clone()))?),
    }
}

/// The admin listener that was asked for.
fn admin_listener(args: &ServeArgs) -> Result<Option<Listeners>, AppError> {
    let (address, typed) = match &args.admin {
        Some(AdminAddress::Off) => return Ok(None),
        Some(AdminAddress::Listen(address)) => (address.clone(), true),
        None => (ListenAddress::Tcp(ADMIN), false),
    };
    match Listeners::bind(&[address], "--admin", SocketAccess::Owner) {
        Ok(listeners) => {
            for url in listeners.urls() {
                match url.strip_suffix('/') {
                    Some(url) => info!("admin at {url}/guest"),
                    None => info!("admin at {url}"),
                }
            }
            Ok(Some(listeners))
        }
        // Nobody asked for it, and a second server on the same machine is nothing unusual.
        Err(error) if !typed => {
            warn!("no admin listener: {error}");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Serve the admin listener, for ever.
async fn serve_admin(listeners: Listeners, admin: Arc<Admin>, connections: Arc<Connections>) {
    let answer = service_fn(move |request| admin.clone().answer(request));
    // An upload whose client has left changes nothing.
    server::serve(listeners, answer, connections, HalfClose::Abandon, pending()).await;
}

/// Offer the guest of this file, or the built-in one, at each SIGHUP, for ever. But that is also sent when the terminal is
/// closed that the program was started from; then the program ends.
async fn load_again(file: Option<PathBuf>, generations: Generations) {
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => {
            warn!("SIGHUP will not load the guest again: {error}");
            return pending().await;
        }
    };
    let has_terminal = || io::stdin().is_terminal();
    let had_terminal = has_terminal();
    while hangups.recv().await.is_some() {
        if had_terminal && !has_terminal() {
            info!("the terminal was closed");
            // Cannot fail: a process may always end itself.
            let _ = kill_process(getpid(), rustix::process::Signal::TERM);
            return pending().await;
        }
        info!("received SIGHUP, loading the guest again");
        let file = file.clone();
        let Ok(candidate) = spawn_blocking(move || Candidate::read(file.as_deref())).await else { continue };
        // The log tells what came of it.
        let _ = generations.offer(candidate).await;
    }
}

/// A future that is done when the program is told to end, with Ctrl-C or by a service manager.
fn end_signals() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        };
        info!("received {name}, shutting down");
    })
}

/// How many connections there may be: as many as were asked for, and files are left for.
fn connection_limits(args: &ServeArgs, cameras: usize) -> Limits {
    let wanted = match args.max_connections {
        Some(count) => count as usize,
        None => 2 * args.max_requests as usize + IDLE_CONNECTIONS,
    };
    let left = open_files::left_for_connections(cameras, ADMIN_CONNECTIONS);
    if left < wanted {
        let reason = "the limit on open files allows no more (`ulimit -n`, or LimitNOFILE= of systemd)";
        warn!("at most {left} connections at a time instead of {wanted}: {reason}");
    }
    let total = wanted.min(left).max(FEWEST_CONNECTIONS);
    Limits { total, per_address: args.max_connections_per_address as usize }
}

/// How many requests may be in progress. Streams leave some of the connections for everything else.
fn admission(args: &ServeArgs, limits: Limits) -> Admission {
    let requests = args.max_requests as usize;
    let streams = requests.min(limits.total - limits.total.div_ceil(4));
    Admission::new(streams, requests, limits.per_address)
}

/// Print the imports of a component, or of the built-in guest.
pub fn print_imports(file: Option<&Path>) -> Result<(), AppError> {
    print(&Candidate::read(file)?.imports()?)
}

/// Make a folder with a guest to start from.
pub fn new_guest(folder: &Path) -> Result<(), AppError> {
    template::make(folder)?;
    print(&format!("made {0}; next: cd '{0}' && ./dev\n", folder.display()))
}

/// Write the built-in guest to a file.
pub fn save_guest(file: &Path) -> Result<(), AppError> {
    let guest = Candidate::read(None)?;
    std::fs::write(file, guest.bytes()).map_err(|source| AppError::Write { path: file.to_owned(), source })
}

/// Print the cameras of this machine.
pub fn print_cameras() -> Result<(), AppError> {
    let (listings, unopened) = Devices::of_this_machine().list();
    let mut text = String::new();
    for listing in &listings {
        text += &listing.to_string();
    }
    for (path, error) in &unopened {
        text += &format!("{}  cannot be used: {error}\n", path.display());
    }
    if text.is_empty() {
        text += "no V4L2 cameras; plug one in, or use --camera emulated\n";
    }
    print(&text)
}

/// Print to standard output. A reader that has seen enough, such as `head`, is no error.
fn print(text: &str) -> Result<(), AppError> {
    use io::Write as _;
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}
