//! Puts the parts together: cameras, sandbox, guest, server.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tracing::{debug, info};

use crate::camera::v4l2;
use crate::config::cli::ServeArgs;
use crate::config::{CamerasError, find_cameras};
use crate::guest::{Candidate, Guest, LoadError, Sandbox, SandboxError};
use crate::http::server::{self, ListenError};
use crate::http::service::Service;

/// Why the program ended without having done what it was asked. One line, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A camera is not there.
    #[error(transparent)]
    Cameras(#[from] CamerasError),
    /// The guest can't be used.
    #[error(transparent)]
    Guest(#[from] LoadError),
    /// There is no sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// There is no address to serve at.
    #[error(transparent)]
    Listen(#[from] ListenError),
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
    let cameras = find_cameras(&args.cameras)?;
    for camera in cameras.iter() {
        info!("camera {}: {}", camera.name(), camera.description());
    }
    raise_open_files();
    let sandbox = Arc::new(Sandbox::new(args.max_requests, args.guest_memory)?);
    let candidate = Candidate::read(args.guest.as_deref())?;
    let loaded = candidate.load(&sandbox)?;
    info!("guest: {}, sha256 {}", candidate.origin, candidate.digest());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let shutdown = end_signals()?;
        let listener = server::listen(args.listen)?;
        info!("open http://{}/", address_to_open(listener.local_addr()?));
        let mut supervisors = JoinSet::new();
        for camera in cameras.iter() {
            supervisors.spawn(camera.clone().supervise(args.linger));
        }
        let guest = Guest::new(sandbox, loaded, cameras.clone(), args.answer_timeout);
        let service = Arc::new(Service::new(guest, args.max_requests));
        server::serve(listener, service, shutdown).await;
        supervisors.shutdown().await;
        Ok::<_, AppError>(())
    })?;
    info!("ended");
    Ok(())
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
        info!("ending, told by {name}");
    })
}

/// The address to type into a browser.
fn address_to_open(bound: SocketAddr) -> SocketAddr {
    let mut address = bound;
    if bound.ip().is_unspecified() {
        address.set_ip(match bound {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Each viewer is an open file, and the usual limit is 1024; the one that we may raise it to is far higher.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        debug!("the limit on open files stays: {error}");
    }
}

/// Print the imports of a component, or of the built-in guest.
pub fn print_imports(file: Option<&Path>) -> Result<(), AppError> {
    // Room for a component of any size, once; nothing is run.
    let sandbox = Sandbox::new(1, 4096)?;
    print(&Candidate::read(file)?.imports(&sandbox)?)
}

/// Write the built-in guest to a file.
pub fn save_guest(file: &Path) -> Result<(), AppError> {
    let guest = Candidate::read(None)?;
    std::fs::write(file, guest.bytes()).map_err(|source| AppError::Write { path: file.to_owned(), source })
}

/// Print the cameras of this machine.
pub fn print_cameras() -> Result<(), AppError> {
    let (listings, unopened) = v4l2::list::all();
    let mut text = String::new();
    for listing in &listings {
        text += &listing.to_string();
    }
    for (path, error) in &unopened {
        text += &format!("{}  cannot be opened: {error}\n", path.display());
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
