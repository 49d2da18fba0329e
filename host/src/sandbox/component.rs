//! From a file to a guest that can be called: loading, checking, and saying what a component can reach.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::{cli, random};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types as http_types;
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};

use super::artifact::{self, ArtifactError, ArtifactKey};
use super::compiler::{self, CompileError, Lifeline, Priority};
use super::engine::Sandbox;
use super::imports::bindings::PublishingPre;
use super::imports::bindings::hotshoe::camera::{cameras, channels, controls, generations, history, instances};
use super::interfaces::{Interfaces, Mismatch};
use super::state::GuestState;

/// The guest that is compiled in; see `build.rs`.
static EMBEDDED: &[u8] = include_bytes!(env!("HOTSHOE_GUEST"));

/// The first 8 bytes of a component, and of a core module: `\0asm`, a version, and a layer.
const COMPONENT_PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE_PREAMBLE: &[u8] = b"\0asm\x01\0\0\0";

/// The largest component that is taken, in bytes: room for an interpreter of another language with its
/// libraries. What is compiled needs many times its size in memory, and this is compiled beside live streams.
pub const COMPONENT_LIMIT: usize = 64 << 20;

/// Why a file can't be the guest.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It can't be read.
    #[error("cannot read the guest {}: {source}; check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is too large.
    #[error("{0} is larger than a guest may be, {limit} MiB", limit = COMPONENT_LIMIT >> 20)]
    TooLarge(Origin),
    /// It is a WebAssembly core module.
    #[error(
        "{0} is a core module and not a component; build it with `cargo build --target wasm32-wasip2`, or wrap it with `wasm-tools component new`"
    )]
    CoreModule(Origin),
    /// It is machine code that wasmtime compiled earlier. It can't be checked, so it is never run.
    #[error("{0} is precompiled machine code, which is never loaded; give the component itself")]
    Precompiled(Origin),
    /// It is something else.
    #[error("{0} is not a WebAssembly component")]
    NotComponent(Origin),
    /// It is a component, but not a valid one, or one that needs more than there is: see `--guest-memory`.
    #[error("{origin} is not a component that can run here: {reason}")]
    Invalid {
        /// Where it is from.
        origin: Origin,
        /// What is wrong with it.
        reason: String,
    },
    /// It could not be compiled.
    #[error("{origin} cannot be compiled: {reason}")]
    Compile {
        /// Where it is from.
        origin: Origin,
        /// Why.
        reason: CompileError,
    },
    /// It wants what the host does not offer.
    #[error("{origin} {reason}; `hotshoe guest imports` shows what the built-in guest does with")]
    Import {
        /// Where it is from.
        origin: Origin,
        /// Which imports are missing: all of them.
        reason: String,
    },
    /// It can't be called.
    #[error("{0} does not export wasi:http/incoming-handler, so it cannot answer requests")]
    NoHandler(Origin),
}

/// Where a guest is from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// It is compiled in.
    Embedded,
    /// A file.
    File(PathBuf),
    /// It was sent to the admin listener.
    Upload,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => write!(f, "the built-in guest"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Upload => write!(f, "the uploaded guest"),
        }
    }
}

/// The bytes of what may become the guest. Nothing is known of them yet.
pub struct Candidate {
    /// Where they are from.
    pub origin: Origin,
    /// Their SHA-256, in hexadecimal digits.
    pub digest: Arc<str>,
    bytes: Vec<u8>,
}

impl Candidate {
    /// The bytes of this file, or of the built-in guest. Blocks while the file is read, and as [`Candidate::new`].
    pub fn read(file: Option<&Path>) -> Result<Self, LoadError> {
        let Some(path) = file else { return Self::new(Origin::Embedded, EMBEDDED.to_vec()) };
        let mut bytes = Vec::new();
        // One more than may be, to know whether there are more; a file that grows meanwhile ends here as well.
        let read = open_file(path).and_then(|file| file.take(COMPONENT_LIMIT as u64 + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) => Self::new(Origin::File(path.to_owned()), bytes),
            Err(source) => Err(LoadError::Read { path: path.to_owned(), source }),
        }
    }

    /// These bytes. Fails if they are too many. Computes their digest: a third of a second for the longest.
    pub fn new(origin: Origin, bytes: Vec<u8>) -> Result<Self, LoadError> {
        if bytes.len() > COMPONENT_LIMIT {
            return Err(LoadError::TooLarge(origin));
        }
        let hex = Sha256::digest(&bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String can't fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        Ok(Self { origin, digest: hex.into(), bytes })
    }

    /// The bytes, as they were read.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its imports and exports. Fails if it is no component at all.
    fn interfaces(&self) -> Result<Interfaces, LoadError> {
        let origin = || self.origin.clone();
        if Engine::detect_precompiled(&self.bytes).is_some() {
            return Err(LoadError::Precompiled(origin()));
        }
        if self.bytes.starts_with(MODULE_PREAMBLE) {
            return Err(LoadError::CoreModule(origin()));
        }
        if !self.bytes.starts_with(COMPONENT_PREAMBLE) {
            return Err(LoadError::NotComponent(origin()));
        }
        Interfaces::parse(&self.bytes)
            .map_err(|error| LoadError::Invalid { origin: origin(), reason: error.to_string() })
    }

    /// Check that the host offers all that it imports and that it can be called; and only then compile it, in a process of
    /// its own, or take it from the cache. Blocks until that is done: a few milliseconds from the cache, a tenth of a second
    /// or more otherwise. Gives up soon after the guard of `lifeline` is dropped.
    pub fn load(&self, sandbox: &Sandbox, priority: Priority, lifeline: &Lifeline) -> Result<LoadedGuest, LoadError> {
        let import =
            |error: wasmtime::Error| LoadError::Import { origin: self.origin.clone(), reason: one_line(&error) };
        self.interfaces()?
            .check(linker(sandbox.engine()).map_err(import)?)
            .map_err(|mismatch| self.refusal(mismatch))?;
        let component = self.component(sandbox, priority, lifeline)?;
        // Compares types as well, which needs the compiled component.
        let linked = linker(sandbox.engine()).and_then(|linker| linker.instantiate_pre(&component)).map_err(import)?;
        // Fails only if the export is not there.
        let publishing = PublishingPre::new(linked.clone()).ok();
        let handler = ProxyPre::new(linked).map_err(|_| LoadError::NoHandler(self.origin.clone()))?;
        let (origin, digest) = (self.origin.clone(), self.digest.clone());
        Ok(LoadedGuest { handler, publishing, origin, digest, length: self.bytes.len() })
    }

    fn refusal(&self, mismatch: Mismatch) -> LoadError {
        let origin = self.origin.clone();
        match mismatch {
            Mismatch::NoHandler => LoadError::NoHandler(origin),
            Mismatch::Imports { missing, has_handler } => {
                let export = if has_handler { "" } else { ", and does not export wasi:http/incoming-handler" };
                LoadError::Import {
                    origin,
                    reason: format!("imports what this host does not offer: {missing}{export}"),
                }
            }
        }
    }

    /// From the cache, or compiled.
    fn component(&self, sandbox: &Sandbox, priority: Priority, lifeline: &Lifeline) -> Result<Component, LoadError> {
        let origin = || self.origin.clone();
        let invalid = |error: wasmtime::Error| LoadError::Invalid { origin: origin(), reason: one_line(&error) };
        let engine = sandbox.engine();
        let key = ArtifactKey::new(self.digest.clone(), engine);
        if let Some(cache) = sandbox.cache()
            && let Some(component) = cache.load(engine, &key).map_err(invalid)?
        {
            return Ok(component);
        }
        let artifact =
            compiler::compile(&self.bytes, &key, sandbox, priority, lifeline).map_err(|error| match error {
                CompileError::Invalid(reason) => LoadError::Invalid { origin: origin(), reason },
                reason => LoadError::Compile { origin: origin(), reason },
            })?;
        let component = artifact::load(engine, &key, &artifact).map_err(|error| match error {
            ArtifactError::Refused(error) => invalid(error),
            ArtifactError::Damaged => LoadError::Compile {
                origin: origin(),
                reason: CompileError::Crashed("its output is damaged".to_owned()),
            },
        })?;
        if let Some(cache) = sandbox.cache() {
            cache.store(&key, &artifact);
        }
        Ok(component)
    }

    /// What it imports: each interface, and below it each function, as lines of text. What is not in it, it can't reach.
    pub fn imports(&self) -> Result<String, LoadError> {
        Ok(self.interfaces()?.describe())
    }
}

/// Open what is a file. Does not wait for somebody to write, as opening a named pipe would.
fn open_file(path: &Path) -> io::Result<File> {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(file)
}

/// A component that is compiled, and offered all that it imports: ready to be instantiated for each request.
#[derive(Clone)]
pub struct LoadedGuest {
    pub(super) handler: ProxyPre<GuestState>,
    /// None where it publishes no channels.
    pub(super) publishing: Option<PublishingPre<GuestState>>,
    /// Where it is from.
    pub origin: Origin,
    /// The SHA-256 of the component's bytes, in hexadecimal digits.
    pub digest: Arc<str>,
    /// The number of the component's bytes.
    pub length: usize,
}

/// All that guests may import.
///
/// No files, no sockets, no outgoing HTTP: those interfaces are not merely switched off, they are not there.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    cameras::add_to_linker::<_, HasSelf<_>>(l, |instance: &mut GuestState| instance)?;
    channels::add_to_linker::<_, HasSelf<_>>(l, |instance: &mut GuestState| instance)?;
    controls::add_to_linker::<_, HasSelf<_>>(l, |instance: &mut GuestState| instance)?;
    generations::add_to_linker::<_, HasSelf<_>>(l, |instance: &mut GuestState| instance)?;
    history::add_to_linker::<_, HasSelf<_>>(l, |instance: &mut GuestState| instance)?;
    instances::add_to_linker::<_, HasSelf<_>>(l, |instance: &mut GuestState| instance)?;
    http_types::add_to_linker::<_, WasiHttp>(l, &http_types::LinkOptions::default(), GuestState::http)?;
    // Streams and polls, clocks, random numbers, standard input (empty), output and error (the log).
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(l)?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, |instance| instance.random())?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |instance| instance.random())?;
    // What the standard libraries of most languages import whether it is used or not: an environment, which
    // is empty; a way to exit, which traps; and the question whether output is a terminal, which it is not.
    cli::environment::add_to_linker::<_, WasiCli>(l, GuestState::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, GuestState::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, GuestState::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, GuestState::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, GuestState::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, GuestState::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, GuestState::cli)?;
    Ok(linker)
}

/// An error of wasmtime's with all its causes in one line.
pub(super) fn one_line(error: &wasmtime::Error) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}
