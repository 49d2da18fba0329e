//! What was typed ([`cli`], [`camera_spec`], [`label`], [`listen_address`], [`admin_address`]), and what it means: cameras
//! that were looked at and named (`camera_names`), and where things are.

pub mod admin_address;
mod camera_names;
pub mod camera_spec;
pub mod cli;
pub mod label;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::warn;

use crate::camera::controls::ControlError;
use crate::camera::emulated::{DEFAULT_RATE, Emulated};
use crate::camera::v4l2::{CameraOptions, DEFAULT_QUALITY, Devices};
use crate::camera::{Camera, Cameras, Linger, Source, SourceError};

use self::camera_names::name_all;
use self::camera_spec::{CameraSpec, SourceSpec};
use self::cli::ServeArgs;

/// Why cameras that were typed well can't be had.
#[derive(Debug, thiserror::Error)]
pub enum CamerasError {
    /// One of them is no camera.
    #[error("camera {name}: {source}")]
    Source {
        /// Its name.
        name: String,
        /// What is wrong.
        source: SourceError,
    },
    /// A control that was asked for cannot be set.
    #[error("camera {name}: {source}")]
    Control {
        /// The camera's name.
        name: String,
        /// What is wrong.
        source: ControlError,
    },
    /// Two have the same name.
    #[error("two cameras are named `{0}`; name one otherwise, as in --camera NAME=SOURCE")]
    SameName(String),
}

/// Where compiled guests are kept unless that was typed: the folder that a service manager gives
/// (systemd.exec(5), `CacheDirectory=`), or `hotshoe` in the user's own (XDG Base Directory Specification).
/// None where the environment names neither.
pub fn default_cache() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("CACHE_DIRECTORY").or_else(|| {
        let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
        cache.map(|cache| cache.join("hotshoe"))
    })
}

/// Look for the cameras that were asked for, and name them. Opens none of them for longer than it takes to
/// see what they are.
pub fn find_cameras(args: &ServeArgs) -> Result<Cameras, CamerasError> {
    let devices = Devices::of_this_machine();
    let kinds = resolve_all(&args.cameras, &devices);
    let given = args.cameras.iter().map(|spec| spec.name.as_deref());
    let names = name_all(given.zip(&kinds)).map_err(CamerasError::SameName)?;
    let mut cameras: Vec<Camera> = Vec::with_capacity(names.len());
    for ((spec, kind), name) in args.cameras.iter().zip(&kinds).zip(names) {
        let source = find_source(&name, kind, spec, &devices, args)?;
        let linger = if spec.keep_open { Linger::Always } else { Linger::For(args.linger) };
        let label = spec.label.as_ref().map(ToString::to_string);
        cameras.push(Camera::new(name, source, linger).with_label(label));
    }
    Ok(Cameras::new(cameras))
}

/// The sources of all cameras, with what `auto` means on this machine at this moment: the first device that is no other
/// camera's.
///
/// Two cameras may be the same device, with different formats, say. The kernel lets one of them stream at a time.
fn resolve_all(specs: &[CameraSpec], devices: &Devices) -> Vec<SourceSpec> {
    let mut taken = Vec::new();
    for spec in specs {
        if let SourceSpec::Device(path) = &spec.source {
            // It may be a link to a node.
            let node = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            if taken.contains(&node) {
                warn!("{} is the device of several cameras; only one of them can stream at a time", path.display());
            }
            taken.push(node);
        }
    }
    let resolve = |spec: &CameraSpec| match &spec.source {
        SourceSpec::Auto => match devices.first_camera(&taken) {
            Some(path) => {
                taken.push(path.clone());
                SourceSpec::Device(path)
            }
            None => SourceSpec::Emulated(None),
        },
        other => other.clone(),
    };
    specs.iter().map(resolve).collect()
}

fn find_source(
    name: &str,
    kind: &SourceSpec,
    spec: &CameraSpec,
    devices: &Devices,
    args: &ServeArgs,
) -> Result<Arc<dyn Source>, CamerasError> {
    let emulated = match kind {
        SourceSpec::Device(path) => {
            let options = CameraOptions {
                size: spec.size,
                rate: spec.rate,
                format: spec.format,
                quality: spec.quality.unwrap_or(DEFAULT_QUALITY),
                allow_truncated: args.allow_truncated,
                controls: spec.controls.clone(),
            };
            let failed = |source| CamerasError::Source { name: name.to_owned(), source };
            return Ok(Arc::new(devices.camera(path, options).map_err(failed)?));
        }
        SourceSpec::Emulated(Some(folder)) => Emulated::from_folder(folder, spec.rate.unwrap_or(DEFAULT_RATE)),
        // `Auto` was resolved before.
        SourceSpec::Emulated(None) | SourceSpec::Auto => Emulated::embedded(spec.rate.unwrap_or(DEFAULT_RATE)),
    };
    for (control, value) in &spec.controls {
        match emulated.set_control(control, *value) {
            // What was meant for a camera is not for its stand-in.
            Err(error) if spec.source == SourceSpec::Auto => warn!("camera {name}: {error}"),
            Err(source) => return Err(CamerasError::Control { name: name.to_owned(), source }),
            Ok(_) => {}
        }
    }
    Ok(Arc::new(emulated))
}
