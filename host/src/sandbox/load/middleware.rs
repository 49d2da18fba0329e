//! Middleware: components that every request passes through before it reaches the guest.
//!
//! Middleware imports and exports the request handler. It may also export a worker, or only that: it then works beside
//! the guest. The guest and its middleware are composed to one component, which is then checked, compiled, replaced and
//! rolled back like any other.

use std::path::PathBuf;
use std::sync::Arc;

use super::candidate::{Candidate, Composition, MiddlewareFile};
use super::compatibility::{self, HANDLER_NAMES, Incompatible, handler, is_handler, passed_handler};
use super::compiler::{self, Cancellation, Priority};
use super::error::LoadError;
use super::interfaces::Interfaces;
use super::linker::linker;
use super::origin::Origin;
use crate::sandbox::call::exports::is_worker;
use crate::sandbox::engine::Sandbox;
use crate::sandbox::wasmtime_error::one_line;

/// The files of the middleware, outermost first.
#[derive(Clone, Default)]
pub struct Middleware(Arc<[PathBuf]>);

impl Middleware {
    /// Takes the files, outermost first.
    pub fn new(files: &[PathBuf]) -> Self {
        Self(files.into())
    }

    /// Whether there is no middleware.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the files, and checks that they are middleware and that the host provides what they import. An error names
    /// the file at fault. Blocks while it reads them.
    fn read(&self, sandbox: &Sandbox) -> Result<Arc<[MiddlewareFile]>, LoadError> {
        let read = |path: &PathBuf| {
            let component = Candidate::read_middleware(path)?;
            check(&component, sandbox)?;
            Ok(MiddlewareFile { path: path.clone(), component })
        };
        self.0.iter().map(read).collect()
    }

    /// Puts the middleware in front of a guest: `kept`, which was read earlier, or else what the files contain now. The
    /// components are composed in a separate process. Without middleware, returns the guest unchanged.
    ///
    /// Blocks for some milliseconds, or longer for a large guest.
    pub fn wrap(
        &self,
        guest: Candidate,
        kept: Option<&Composition>,
        sandbox: &Sandbox,
        priority: Priority,
        cancellation: &Cancellation,
    ) -> Result<Candidate, LoadError> {
        if self.is_empty() {
            return Ok(guest);
        }
        let middleware = match kept {
            Some(composition) => composition.middleware.clone(),
            None => self.read(sandbox)?,
        };
        check_versions(&middleware, &guest)?;
        let origin = Origin::Wrapped { guest: guest.origin.clone().into(), middleware: self.0.clone() };
        let parts = middleware.iter().map(|file| &file.component);
        let components: Vec<_> = parts.chain([&guest]).map(Candidate::bytes).collect();
        let composed = compiler::compose(&components, priority, cancellation)
            .map_err(|reason| LoadError::Compose { origin: origin.clone(), reason })?;
        let mut composed = Candidate::new(origin, composed)?;
        composed.composition = Some(Arc::new(Composition { guest, middleware }));
        Ok(composed)
    }
}

/// Checks that a component is middleware, and that the host provides everything else that it imports.
fn check(part: &Candidate, sandbox: &Sandbox) -> Result<(), LoadError> {
    let origin = || part.origin.clone();
    let mut interfaces = part.interfaces()?;
    // A component that only has a worker stands beside the guest, and requests do not pass through it.
    let is_beside = !interfaces.exports.iter().any(|export| is_handler(export));
    let passes_on = is_beside || passed_handler_of(&interfaces).is_some();
    // The next component provides it.
    interfaces.imports.retain(|import| !is_handler(&import.name));
    let linker =
        linker(sandbox.engine()).map_err(|error| LoadError::Link { origin: origin(), reason: one_line(&error) })?;
    compatibility::check(&interfaces, linker, |export| is_handler(export) || is_worker(export)).map_err(
        |incompatible| match incompatible {
            Incompatible::NoExport => LoadError::NotMiddleware(origin()),
            Incompatible::MissingImports { missing, has_export } => {
                let lacking_export = (!has_export).then_some(HANDLER_NAMES);
                LoadError::MissingImports { origin: origin(), missing, lacking_export }
            }
        },
    )?;
    if passes_on { Ok(()) } else { Err(LoadError::BypassesGuest(origin())) }
}

/// The handler that a component passes requests on to.
fn passed_handler_of(interfaces: &Interfaces) -> Option<&'static str> {
    let imports = interfaces.imports.iter().map(|import| import.name.as_str());
    passed_handler(imports, interfaces.exports.iter().map(String::as_str))
}

/// Checks that all parts with a handler have one for the same version of WASI. The guest is last, and must have one.
fn check_versions(middleware: &[MiddlewareFile], guest: &Candidate) -> Result<(), LoadError> {
    let mut passed = None;
    for (part, is_guest) in middleware.iter().map(|file| (&file.component, false)).chain([(guest, true)]) {
        let interfaces = part.interfaces()?;
        let handlers: Vec<_> = interfaces.exports.iter().filter_map(|name| handler(name)).collect();
        if let Some(handler) = passed.filter(|passed| (is_guest || !handlers.is_empty()) && !handlers.contains(passed))
        {
            return Err(LoadError::NotWrappable { origin: part.origin.clone(), handler });
        }
        passed = passed.or_else(|| passed_handler_of(&interfaces));
    }
    Ok(())
}
