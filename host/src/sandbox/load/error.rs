//! Why a component cannot be used.

use std::io;

use super::compiler::CompileError;
use super::origin::Origin;

/// The largest component accepted, in bytes. An interpreter for another language fits, with its libraries. Compiling a
/// component takes many times its size in memory, while streams are being served.
pub const COMPONENT_LIMIT: usize = 64 << 20;

/// Why a component cannot be the guest, its middleware, or the driver or a filter of a camera.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the {} {origin}: {source}; check the path and its permissions", role(origin))]
    Read {
        /// The file.
        origin: Origin,
        /// The error of the operating system.
        source: io::Error,
    },
    /// It is too large.
    #[error(
        "{0} is larger than {limit} MiB, the limit for components; try `wasm-tools strip`",
        limit = COMPONENT_LIMIT >> 20
    )]
    TooLarge(Origin),
    /// It is a WebAssembly core module.
    #[error(
        "{0} is a core module, not a component; build it with `cargo build --target wasm32-wasip2`, \
         or convert it with `wasm-tools component new`"
    )]
    CoreModule(Origin),
    /// It is machine code that wasmtime compiled. wasmtime cannot validate machine code, so it is never loaded.
    #[error("{0} is precompiled machine code, which is never loaded; use the component that it was compiled from")]
    Precompiled(Origin),
    /// It is something else.
    #[error("{0} is not a WebAssembly component; check that this is the right file")]
    NotComponent(Origin),
    /// It is malformed, or it needs more than an instance may have.
    #[error("{origin} is not a valid component, or exceeds a limit such as --guest-memory: {reason}")]
    Invalid {
        /// Where it comes from.
        origin: Origin,
        /// What is wrong with it.
        reason: String,
    },
    /// It could not be compiled.
    #[error("{origin} cannot be compiled: {reason}")]
    Compile {
        /// Where it comes from.
        origin: Origin,
        /// Why.
        reason: CompileError,
    },
    /// It imports interfaces or functions that the host does not provide.
    #[error(
        "{origin} imports what this host does not provide: {missing}{}; \
         {}run `hotshoe guest imports FILE` for the full list",
        lacking_export.map(|export| format!(", and does not export {export}")).unwrap_or_default(),
        advice(missing)
    )]
    MissingImports {
        /// Where it comes from.
        origin: Origin,
        /// The missing imports, separated by commas, and how many more there are.
        missing: String,
        /// The export that it lacks as well.
        lacking_export: Option<&'static str>,
    },
    /// The types of its imports differ from those of the host.
    #[error("{origin} cannot be linked: {reason}; build it with the WIT packages of this version of hotshoe")]
    Link {
        /// Where it comes from.
        origin: Origin,
        /// The error of wasmtime.
        reason: String,
    },
    /// It is to be middleware but cannot be called.
    #[error(
        "{0} does not export wasi:http/incoming-handler or wasi:http/handler, nor hotshoe:server/worker, so it cannot be \
         middleware (--wrap)"
    )]
    NotMiddleware(Origin),
    /// There is middleware, and it cannot call the guest.
    #[error(
        "{origin} does not export {handler}, so middleware cannot pass requests on to it (--wrap); the guest and its \
         middleware must be built for the same version of WASI, 0.2 or 0.3"
    )]
    NotWrappable {
        /// Where it comes from.
        origin: Origin,
        /// The handler that the middleware imports.
        handler: &'static str,
    },
    /// It is to be middleware but calls nothing.
    #[error(
        "{0} does not import the interface of requests that it exports, wasi:http/incoming-handler or \
         wasi:http/handler, so the guest behind it would never be called (--wrap)"
    )]
    BypassesGuest(Origin),
    /// The guest and its middleware do not fit together.
    #[error("{origin} cannot be composed: {reason}")]
    Compose {
        /// Where the parts come from.
        origin: Origin,
        /// Why.
        reason: CompileError,
    },
    /// It is to be a driver but cannot be called.
    #[error("{0} does not export hotshoe:camera/source, so it cannot be the driver of a camera")]
    NotDriver(Origin),
    /// It is to be a filter but cannot be called.
    #[error("{0} does not export hotshoe:camera/filter, so it cannot filter a camera")]
    NotFilter(Origin),
    /// It cannot be called.
    #[error("{0} does not export wasi:http/incoming-handler or wasi:http/handler, so it cannot answer requests")]
    NoHandler(Origin),
}

impl LoadError {
    /// Names the kind of the error, for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Read { .. } => "unreadable",
            Self::TooLarge(_) => "too_large",
            Self::CoreModule(_) | Self::Precompiled(_) | Self::NotComponent(_) | Self::Invalid { .. } => "invalid",
            Self::Compile { .. } | Self::Compose { .. } => "not_compiled",
            Self::MissingImports { .. } | Self::Link { .. } => "imports",
            Self::NotMiddleware(_)
            | Self::NotWrappable { .. }
            | Self::BypassesGuest(_)
            | Self::NotDriver(_)
            | Self::NotFilter(_)
            | Self::NoHandler(_) => "exports",
        }
    }
}

/// What to do if a handler is missing among others.
fn advice(missing: &str) -> &'static str {
    let is_middleware = ["wasi:http/incoming-handler@", "wasi:http/handler@"].iter().any(|name| missing.contains(name));
    if is_middleware { "middleware needs a guest behind it (--wrap FILE); " } else { "" }
}

/// What a component is for, in error messages.
fn role(origin: &Origin) -> &'static str {
    match origin {
        Origin::Middleware(_) => "middleware",
        Origin::CameraFile { role, .. } | Origin::CameraUpload { role } => role,
        _ => "guest",
    }
}
