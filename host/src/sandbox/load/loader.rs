//! Loads a guest: checks a candidate, compiles it, and links it.

use std::sync::Arc;

use wasmtime::component::Component;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use super::artifact::{self, ArtifactError, ArtifactKey};
use super::candidate::{Candidate, Composition};
use super::compatibility::{self, HANDLER_NAMES, Incompatible, is_handler};
use super::compile_cache::CompileCache;
use super::compiler::{self, Cancellation, CompileError, Priority};
use super::error::LoadError;
use super::linker::linker;
use super::origin::Origin;
use crate::sandbox::call::exports::{PublisherExport, WorkerExport};
use crate::sandbox::engine::Sandbox;
use crate::sandbox::limits::{MAX_MEMORIES, MAX_TABLES};
use crate::sandbox::state::GuestState;
use crate::sandbox::wasmtime_error::one_line;

/// The size of a page of linear memory, in bytes (WebAssembly core specification, section 4.2.8).
const WASM_PAGE: u64 = 65_536;

/// The export of a guest that handles requests, which also determines how its instances are used.
#[derive(Clone)]
pub(in crate::sandbox) enum Handler {
    /// `wasi:http/incoming-handler`. An instance handles one request at a time.
    Exclusive(ProxyPre<GuestState>),
    /// `wasi:http/handler`. An instance handles several requests at the same time.
    Shared(ServicePre<GuestState>),
}

/// A compiled and linked component, ready to be instantiated.
#[derive(Clone)]
pub struct LoadedGuest {
    pub(in crate::sandbox) handler: Handler,
    /// `None` if it does not export `publisher`.
    pub(in crate::sandbox) publisher: Option<PublisherExport>,
    /// Its worker and those of its middleware, if any.
    pub workers: Vec<WorkerExport>,
    /// Where it comes from.
    pub origin: Origin,
    /// The SHA-256 of the component, in hexadecimal digits.
    pub digest: Arc<str>,
    /// The length of the component, in bytes.
    pub length: usize,
    /// What it was composed from. `None` if there is no middleware.
    pub composition: Option<Arc<Composition>>,
}

impl LoadedGuest {
    /// Whether its instances may handle several requests if the guest allows that. The instances of middleware are
    /// reused together with those of the guest, and the guest cannot know whether they are sound after a request.
    pub(in crate::sandbox) fn may_be_reused(&self) -> bool {
        self.composition.is_none()
    }

    /// Whether this is the digest of the component, or of a part of it.
    pub fn contains(&self, digest: &str) -> bool {
        let composition = self.composition.as_deref();
        *self.digest == *digest
            || composition.is_some_and(|composition| {
                *composition.guest.digest == *digest
                    || composition.middleware.iter().any(|part| *part.component.digest == *digest)
            })
    }
}

/// Loads a guest. Checks that the host provides all imports and that the guest exports a handler. Only then takes the
/// compiled code from the cache, or compiles the component in a separate process.
///
/// Blocks for a few milliseconds if the code is in the cache, and otherwise for a tenth of a second or more. Returns
/// [`CompileError::Cancelled`] soon after the guard of `cancellation` was dropped.
pub fn load_guest(
    candidate: &Candidate,
    sandbox: &Sandbox,
    priority: Priority,
    cancellation: &Cancellation,
) -> Result<LoadedGuest, LoadError> {
    let origin = || candidate.origin.clone();
    let link_error = |error| link_error(candidate, &error);
    let linker = linker(sandbox.engine()).map_err(link_error)?;
    compatibility::check(&candidate.interfaces()?, linker.clone(), is_handler).map_err(|incompatible| {
        match incompatible {
            Incompatible::NoExport => LoadError::NoHandler(origin()),
            Incompatible::MissingImports { missing, has_export } => {
                let lacking_export = (!has_export).then_some(HANDLER_NAMES);
                LoadError::MissingImports { origin: origin(), missing, lacking_export }
            }
        }
    })?;
    let component = compiled(candidate, sandbox, priority, cancellation)?;
    // This also compares the types of the imports, which requires the compiled component.
    let linked = linker.instantiate_pre(&component).map_err(link_error)?;
    let parts = candidate.composition.as_ref().map_or(0, |composition| composition.middleware.len());
    let (publisher, workers) = (PublisherExport::of(&linked), WorkerExport::all(&linked, parts));
    // Both fail only if the export is missing or has a wrong type.
    let handler = match ServicePre::new(linked.clone()) {
        Ok(service) => Handler::Shared(service),
        Err(_) => Handler::Exclusive(ProxyPre::new(linked).map_err(|_| LoadError::NoHandler(origin()))?),
    };
    let (digest, length) = (candidate.digest.clone(), candidate.bytes().len());
    Ok(LoadedGuest {
        handler,
        publisher,
        workers,
        origin: origin(),
        digest,
        length,
        composition: candidate.composition.clone(),
    })
}

pub(super) fn link_error(candidate: &Candidate, error: &wasmtime::Error) -> LoadError {
    LoadError::Link { origin: candidate.origin.clone(), reason: one_line(error) }
}

/// Checks that an instance may have what a component needs at the start. The instance pool checks the same, but there
/// may be none. The number of core instances is known only when the component is instantiated.
fn check_limits(component: &Component, memory_bytes: usize) -> Result<(), String> {
    // `None` if the component imports a module. No host provides one, so linking fails.
    let Some(required) = component.resources_required() else { return Ok(()) };
    let memory = required.max_initial_memory_size.unwrap_or_default().saturating_mul(WASM_PAGE);
    if required.num_memories > MAX_MEMORIES || required.num_tables > MAX_TABLES {
        return Err(format!("it has more than {MAX_MEMORIES} memories or {MAX_TABLES} tables"));
    }
    if memory > memory_bytes as u64 {
        return Err(format!("one of its memories has {} MiB at the start", memory >> 20));
    }
    Ok(())
}

/// Loads the compiled component from the cache, or compiles it and stores it there. Checks that an instance may have
/// what it needs at the start.
pub(super) fn compiled(
    candidate: &Candidate,
    sandbox: &Sandbox,
    priority: Priority,
    cancellation: &Cancellation,
) -> Result<Component, LoadError> {
    let component = cached_or_compiled(candidate, sandbox, priority, cancellation)?;
    check_limits(&component, sandbox.memory_bytes())
        .map_err(|reason| LoadError::Invalid { origin: candidate.origin.clone(), reason })?;
    Ok(component)
}

fn cached_or_compiled(
    candidate: &Candidate,
    sandbox: &Sandbox,
    priority: Priority,
    cancellation: &Cancellation,
) -> Result<Component, LoadError> {
    let origin = || candidate.origin.clone();
    let invalid = |error: wasmtime::Error| LoadError::Invalid { origin: origin(), reason: one_line(&error) };
    let engine = sandbox.engine();
    let key = ArtifactKey::new(candidate.digest.clone(), engine);
    if let Some(cache) = sandbox.cache()
        && let Some(component) = cache.load(engine, &key).map_err(invalid)?
    {
        return Ok(component);
    }
    let functions = sandbox.cache().map(CompileCache::functions);
    let (bytes, memory) = (candidate.bytes(), sandbox.memory_bytes());
    let artifact =
        compiler::compile(bytes, &key, memory, functions, priority, cancellation).map_err(|error| match error {
            CompileError::Invalid(reason) => LoadError::Invalid { origin: origin(), reason },
            reason => LoadError::Compile { origin: origin(), reason },
        })?;
    let component = artifact::load(engine, &key, &artifact).map_err(|error| match error {
        ArtifactError::Refused(error) => invalid(error),
        ArtifactError::Damaged => {
            LoadError::Compile { origin: origin(), reason: CompileError::Crashed("its output is damaged".to_owned()) }
        }
    })?;
    if let Some(cache) = sandbox.cache() {
        cache.store(&key, &artifact);
    }
    Ok(component)
}
