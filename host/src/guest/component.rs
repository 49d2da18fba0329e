//! From a file to a guest that can be called: loading, checking, and saying what a component can reach.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::{cli, random};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types as http_types;
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};

use super::bindings::hotshoe::camera::cameras;
use super::engine::Sandbox;
use super::instance::Instance;

/// The guest that is compiled in; see `build.rs`.
static EMBEDDED: &[u8] = include_bytes!(env!("HOTSHOE_GUEST"));

/// The first 8 bytes of a component, and of a core module: `\0asm`, a version, and a layer.
const COMPONENT_PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE_PREAMBLE: &[u8] = b"\0asm\x01\0\0\0";

/// Why a file can't be the guest.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It can't be read.
    #[error("cannot read the guest {}: {source}; check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
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
    /// It wants what the host does not offer.
    #[error("{origin} {reason}; `hotshoe guest imports` shows what the built-in guest does with")]
    Import {
        /// Where it is from.
        origin: Origin,
        /// Which import is missing.
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
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => write!(f, "the built-in guest"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The bytes of a component.
pub struct Candidate {
    /// Where they are from.
    pub origin: Origin,
    bytes: Vec<u8>,
}

impl Candidate {
    /// The bytes of this file, or of the built-in guest.
    pub fn read(file: Option<&Path>) -> Result<Self, LoadError> {
        let Some(path) = file else {
            return Ok(Self { origin: Origin::Embedded, bytes: EMBEDDED.to_vec() });
        };
        let bytes = std::fs::read(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
        Ok(Self { origin: Origin::File(path.to_owned()), bytes })
    }

    /// The bytes, as they were read.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 of the bytes, in hexadecimal digits.
    pub fn digest(&self) -> String {
        Sha256::digest(&self.bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String can't fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// Compile it to machine code, on all cores. Takes a tenth of a second for the built-in guest, and ten
    /// times that in a debug build.
    fn compile(&self, engine: &Engine) -> Result<Component, LoadError> {
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
        Component::from_binary(engine, &self.bytes)
            .map_err(|error| LoadError::Invalid { origin: origin(), reason: one_line(&error) })
    }

    /// Compile it, and check that the host offers all that it imports and that it can be called.
    pub fn load(&self, sandbox: &Sandbox) -> Result<Loaded, LoadError> {
        let component = self.compile(sandbox.engine())?;
        let import =
            |error: wasmtime::Error| LoadError::Import { origin: self.origin.clone(), reason: one_line(&error) };
        let linked = linker(sandbox.engine()).and_then(|linker| linker.instantiate_pre(&component)).map_err(import)?;
        let handler = ProxyPre::new(linked).map_err(|_| LoadError::NoHandler(self.origin.clone()))?;
        Ok(Loaded { handler })
    }

    /// What it imports: each interface, and below it each function, as lines of text. What is not in it, it
    /// can't reach.
    pub fn imports(&self, sandbox: &Sandbox) -> Result<String, LoadError> {
        let component = self.compile(sandbox.engine())?;
        let mut text = String::new();
        for (name, import) in component.component_type().imports(sandbox.engine()) {
            let _ = writeln!(text, "{name}");
            if let ComponentItem::ComponentInstance(interface) = import.ty {
                for (name, export) in interface.exports(sandbox.engine()) {
                    if matches!(export.ty, ComponentItem::ComponentFunc(_)) {
                        let _ = writeln!(text, "    {name}");
                    }
                }
            }
        }
        Ok(text)
    }
}

/// A component that has passed all checks and is compiled: ready to be instantiated for each request.
#[derive(Clone)]
pub struct Loaded {
    pub(super) handler: ProxyPre<Instance>,
}

/// All that guests may import.
///
/// No files, no sockets, no outgoing HTTP: those interfaces are not merely switched off, they are not there.
fn linker(engine: &Engine) -> wasmtime::Result<Linker<Instance>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    cameras::add_to_linker::<_, HasSelf<_>>(l, |instance: &mut Instance| instance)?;
    http_types::add_to_linker::<_, WasiHttp>(l, &http_types::LinkOptions::default(), Instance::http)?;
    // Streams and polls, clocks, random numbers, standard input (empty), output and error (the log).
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(l)?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, |instance| instance.random())?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |instance| instance.random())?;
    // What the standard libraries of most languages import whether it is used or not: an environment, which
    // is empty; a way to exit, which traps; and the question whether output is a terminal, which it is not.
    cli::environment::add_to_linker::<_, WasiCli>(l, Instance::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, Instance::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, Instance::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, Instance::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, Instance::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, Instance::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, Instance::cli)?;
    Ok(linker)
}

/// An error of wasmtime's with all its causes in one line.
pub(super) fn one_line(error: &wasmtime::Error) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}
