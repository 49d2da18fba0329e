//! The bytes of a component that may become a guest, middleware, a driver or a filter.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use wasmtime::Engine;

use super::digest::hex_digest;
use super::error::{COMPONENT_LIMIT, LoadError};
use super::interfaces::Interfaces;
use super::origin::Origin;
use crate::process::regular_file::open_regular_file;

/// The guest that is compiled into this program; see `build.rs`.
static EMBEDDED: &[u8] = include_bytes!(env!("HOTSHOE_BUILT_IN_GUEST"));

/// The first 8 bytes of a component and of a core module: `\0asm`, version, layer.
const COMPONENT_PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE_PREAMBLE: &[u8] = b"\0asm\x01\0\0\0";

/// The bytes of a component that may become a guest, middleware, a driver or a filter. They have not been checked yet.
/// Cheap to clone.
#[derive(Clone)]
pub struct Candidate {
    /// Where they come from.
    pub origin: Origin,
    /// Their SHA-256, in hexadecimal digits.
    pub digest: Arc<str>,
    /// What the component was composed from. `None` if there is no middleware.
    pub(in crate::sandbox) composition: Option<Arc<Composition>>,
    bytes: Bytes,
}

/// The parts of a composed component.
pub struct Composition {
    /// The guest alone.
    pub guest: Candidate,
    /// The middleware in front of it, outermost first.
    pub middleware: Arc<[MiddlewareFile]>,
}

/// A file of middleware, as it was when it was read.
pub struct MiddlewareFile {
    /// The file.
    pub path: PathBuf,
    /// Its contents.
    pub component: Candidate,
}

impl Candidate {
    /// Reads a file, or takes the built-in guest if `file` is `None`. Blocks while it reads, and while it computes the
    /// digest, as [`Self::new`] does.
    pub fn read(file: Option<&Path>) -> Result<Self, LoadError> {
        match file {
            Some(path) => Self::read_as(Origin::File(path.to_owned()), path),
            None => Self::new(Origin::Embedded, Bytes::from_static(EMBEDDED)),
        }
    }

    /// Reads a file of middleware. Blocks as [`Self::read`] does.
    pub(super) fn read_middleware(path: &Path) -> Result<Self, LoadError> {
        Self::read_as(Origin::Middleware(path.to_owned()), path)
    }

    /// Reads a file of a component that belongs to a camera. `role` is what it is for the camera, such as `driver`.
    /// Blocks as [`Self::read`] does.
    pub fn read_for_camera(role: &'static str, path: &Path) -> Result<Self, LoadError> {
        Self::read_as(Origin::CameraFile { role, path: path.to_owned() }, path)
    }

    fn read_as(origin: Origin, path: &Path) -> Result<Self, LoadError> {
        let mut bytes = Vec::new();
        // One byte beyond the limit shows that the file is too large, even if it is still growing.
        let read =
            open_regular_file(path).and_then(|file| file.take(COMPONENT_LIMIT as u64 + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) => Self::new(origin, bytes),
            Err(source) => Err(LoadError::Read { origin, source }),
        }
    }

    /// Takes bytes from elsewhere. Fails if there are more than [`COMPONENT_LIMIT`]. Blocks while it computes the
    /// digest, for up to a third of a second.
    pub fn new(origin: Origin, bytes: impl Into<Bytes>) -> Result<Self, LoadError> {
        let bytes = bytes.into();
        if bytes.len() > COMPONENT_LIMIT {
            return Err(LoadError::TooLarge(origin));
        }
        let digest = hex_digest(&bytes);
        Ok(Self { origin, digest: digest.into(), composition: None, bytes })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads its imports and exports. Fails if this is not a component.
    pub(super) fn interfaces(&self) -> Result<Interfaces, LoadError> {
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
}
