//! From `--camera` options to cameras.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::camera_names::assign_names;
use super::camera_spec::{CameraSpec, FilterSpec, SourceSpec};
use super::components::CameraComponents;
use super::drivers::{DriverGrantsError, driver_settings};
use super::secret_files::{CREDENTIALS_FILE_LIMIT, SecretFiles};
use super::serve_args::ServeArgs;
use crate::camera::adjusted::Adjusted;
use crate::camera::controls::ControlError;
use crate::camera::emulated::{DEFAULT_RATE, Emulated, TestPattern};
use crate::camera::filter::Filter;
use crate::camera::network::{Address, Credentials, NetworkCamera, NetworkOptions};
use crate::camera::piped::rpicam::{self, RpicamOptions};
use crate::camera::piped::{Fifo, InputOptions, Program, StandardInput, SupervisorCommand};
use crate::camera::v4l2::{CameraOptions, DEFAULT_BUFFERS, DEFAULT_QUALITY, Devices};
use crate::camera::{Camera, Cameras, Linger, Orientation, Source, SourceError};
use crate::drivers::{ComponentSource, DriverSlot};
use crate::filters::{ComponentFilter, FilterSlot};
use crate::process::private_file::{PrivateFileError, read_private_file};
use crate::sandbox::{Configuration, ConfigurationError, FilterSettings, Grants, Sandbox, SandboxError};

/// A valid `--camera` option does not fit this machine or the other options.
#[derive(Debug, thiserror::Error)]
pub enum CamerasError {
    /// The source is not a camera.
    #[error("camera {name}: {source}")]
    Source {
        /// The name of the camera.
        name: String,
        /// The error of the source.
        source: SourceError,
    },
    /// The credentials file of a network camera cannot be used.
    #[error("camera {name}: {source}")]
    CredentialsFile {
        /// The name of the camera.
        name: String,
        /// What is wrong with the file.
        source: PrivateFileError,
    },
    /// The content of the credentials file has another form.
    #[error("camera {name}: the credentials file {} must contain one line with USER:PASSWORD", path.display())]
    InvalidCredentials {
        /// The name of the camera.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// The address contains credentials. Neither it nor the parser of the command line shows them.
    #[error(
        "camera {name}: every user of this machine can read the password in the address {address}; put USER:PASSWORD \
         in a file that only you can read, and add ,credentials=FILE instead"
    )]
    CredentialsInAddress {
        /// The name of the camera.
        name: String,
        /// The address, which shows no credentials.
        address: Address,
    },
    /// The source cannot set a requested control.
    #[error("camera {name}: {source}")]
    Control {
        /// The name of the camera.
        name: String,
        /// Why the control cannot be set.
        source: ControlError,
    },
    /// What the driver of a camera gets cannot be used.
    #[error("camera {name}: {source}")]
    DriverGrants {
        /// The name of the camera.
        name: String,
        /// Which option, and why.
        source: DriverGrantsError,
    },
    /// The configuration of a filter is invalid.
    #[error("camera {name}: the configuration of the filter: {source}")]
    FilterConfiguration {
        /// The name of the camera.
        name: String,
        /// Why.
        source: ConfigurationError,
    },
    /// There is no sandbox to run a component in.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Two cameras have the same name.
    #[error("two cameras are named `{0}`; give one of them another name with --camera NAME=SOURCE")]
    DuplicateName(String),
    /// Two cameras read standard input.
    #[error("two cameras read standard input; use `stdin` once, and pipe:PATH for others")]
    SeveralStdin,
}

/// What applies to all cameras of the command line.
#[derive(Clone, Copy, Debug)]
pub struct CommonOptions {
    /// How long a camera stays open after its last reader leaves.
    pub linger: Duration,
    /// Accepts JPEG images without an end marker.
    pub allow_truncated: bool,
}

impl From<&ServeArgs> for CommonOptions {
    fn from(args: &ServeArgs) -> Self {
        Self { linger: args.linger, allow_truncated: args.allow_truncated }
    }
}

/// A camera, and what it was created from.
#[derive(Clone)]
pub struct ConfiguredCamera {
    /// Its configuration.
    pub spec: CameraSpec,
    /// Its source without `auto`.
    pub source: SourceSpec,
    /// The camera.
    pub camera: Arc<Camera>,
    /// Its driver and its filters, if it has any.
    pub components: CameraComponents,
    /// The files that its configuration names, as they were.
    pub(super) files: SecretFiles,
}

/// Where components run. It is asked only if there are any.
pub type GetSandbox<'a> = &'a dyn Fn() -> Result<Arc<Sandbox>, SandboxError>;

/// Creates the cameras that `specs` describe, with unique names, and puts them into `cameras`. Opens V4L2 devices briefly
/// to check that they are cameras, and blocks while it does. Call it after the limit on open files was raised.
pub fn find_cameras(
    specs: &[CameraSpec],
    common: CommonOptions,
    devices: &Devices,
    sandbox: GetSandbox<'_>,
    cameras: &Cameras,
) -> Result<Vec<ConfiguredCamera>, CamerasError> {
    let mut configured = Vec::with_capacity(specs.len());
    for (spec, (source, name)) in specs.iter().zip(named_sources(specs, devices)?) {
        configured.push(create_camera(name, source, spec, devices, common, sandbox, cameras)?);
    }
    cameras.replace(configured.iter().map(|configured| configured.camera.clone()).collect());
    Ok(configured)
}

/// Checks what depends on no device and no file: that the cameras fit together, and the configuration of their filters.
pub(super) fn check_cameras(specs: &[CameraSpec]) -> Result<(), CamerasError> {
    if specs.iter().filter(|spec| spec.source == SourceSpec::Stdin).count() > 1 {
        return Err(CamerasError::SeveralStdin);
    }
    let names = assign_names(specs.iter().map(|spec| (spec.name.as_deref(), &spec.source)));
    for (spec, name) in specs.iter().zip(names.map_err(CamerasError::DuplicateName)?) {
        for filter in &spec.filters {
            filter_configuration(&name, filter)?;
        }
        if let SourceSpec::Network(address) = &spec.source
            && address.has_credentials()
        {
            return Err(CamerasError::CredentialsInAddress { name, address: address.clone() });
        }
    }
    Ok(())
}

/// Returns the source of each camera without `auto`, and its name, which is unique.
pub(super) fn named_sources(
    specs: &[CameraSpec],
    devices: &Devices,
) -> Result<Vec<(SourceSpec, String)>, CamerasError> {
    check_cameras(specs)?;
    let resolved = resolve_sources(specs, devices);
    let names = assign_names(specs.iter().map(|spec| spec.name.as_deref()).zip(&resolved))
        .map_err(CamerasError::DuplicateName)?;
    Ok(resolved.into_iter().zip(names).collect())
}

/// Creates a camera, which can then be put into `cameras`. `resolved` is its source without `auto`.
pub(super) fn create_camera(
    name: String,
    resolved: SourceSpec,
    spec: &CameraSpec,
    devices: &Devices,
    common: CommonOptions,
    sandbox: GetSandbox<'_>,
    cameras: &Cameras,
) -> Result<ConfiguredCamera, CamerasError> {
    // Before they are used: a change in between counts as one at the next reload.
    let files = SecretFiles::read(spec);
    let mut components = CameraComponents::default();
    let source = create_source(&name, &resolved, spec, devices, common, sandbox, &mut components)?;
    let linger = if spec.keep_open { Linger::Always } else { Linger::For(common.linger) };
    let label = spec.label.as_ref().map(ToString::to_string);
    let memory = spec.memory.unwrap_or_default();
    let filters = create_filters(&name, spec, sandbox, &mut components)?;
    let camera = Camera::new(name, source, linger).with_label(label).with_memory(memory).with_filters(filters);
    Ok(ConfiguredCamera { spec: spec.clone(), source: resolved, camera: cameras.adopt(camera), components, files })
}

/// The configuration of a filter of the camera with this name.
fn filter_configuration(name: &str, filter: &FilterSpec) -> Result<Configuration, CamerasError> {
    let invalid = |source| CamerasError::FilterConfiguration { name: name.to_owned(), source };
    Configuration::new(filter.configuration.clone()).map_err(invalid)
}

/// Creates the filters of one camera, and adds them to its components.
fn create_filters(
    name: &str,
    spec: &CameraSpec,
    sandbox: GetSandbox<'_>,
    components: &mut CameraComponents,
) -> Result<Vec<Arc<dyn Filter>>, CamerasError> {
    let mut filters: Vec<Arc<dyn Filter>> = Vec::with_capacity(spec.filters.len());
    for (number, filter) in (1..).zip(&spec.filters) {
        let slot = FilterSlot::new(name, Some(number), filter.file.clone(), sandbox()?);
        let configuration = filter_configuration(name, filter)?;
        let grants = Grants { configuration, ..Grants::default() };
        components.filters.push(slot.clone());
        filters.push(Arc::new(ComponentFilter::new(slot, FilterSettings { camera: name.into(), grants })));
    }
    Ok(filters)
}

/// Returns the sources of all cameras. Replaces each `auto` by the first device that no other camera uses, or else by
/// the emulated camera.
///
/// Several cameras may name the same device, for example with different formats. The kernel lets one of them stream at
/// a time.
fn resolve_sources(specs: &[CameraSpec], devices: &Devices) -> Vec<SourceSpec> {
    let mut used = Vec::new();
    for spec in specs {
        if let SourceSpec::Device(path) = &spec.source {
            // The path may be a symbolic link.
            let node = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            if used.contains(&node) {
                warn!("several cameras use {}; only one of them can stream at a time", path.display());
            }
            used.push(node);
        }
    }
    let resolve = |spec: &CameraSpec| match &spec.source {
        SourceSpec::Auto => match devices.first_camera(&used) {
            Some(path) => {
                used.push(path.clone());
                SourceSpec::Device(path)
            }
            None => SourceSpec::Emulated(None),
        },
        other => other.clone(),
    };
    specs.iter().map(resolve).collect()
}

/// Creates the source of one camera, and adds its driver if it has one. `resolved` is its source without `auto`.
fn create_source(
    name: &str,
    resolved: &SourceSpec,
    spec: &CameraSpec,
    devices: &Devices,
    common: CommonOptions,
    sandbox: GetSandbox<'_>,
    components: &mut CameraComponents,
) -> Result<Arc<dyn Source>, CamerasError> {
    let input = InputOptions { rate: spec.rate, allow_truncated: common.allow_truncated };
    // What the source cannot do, EXIF does.
    let mut orientation = spec.orientation.unwrap_or_default();
    // Some sources set their own rate, so it is limited here.
    let limited = |source| Adjusted::adjust(source, spec.rate, Orientation::default());
    let source: Arc<dyn Source> = match resolved {
        SourceSpec::Device(path) => {
            let options = CameraOptions {
                size: spec.size,
                rate: spec.rate,
                format: spec.format,
                quality: spec.quality.unwrap_or(DEFAULT_QUALITY),
                allow_truncated: common.allow_truncated,
                buffers: spec.buffers.unwrap_or(DEFAULT_BUFFERS),
                input: spec.input.clone(),
                standard: spec.standard.clone(),
                crop: spec.crop,
                orientation: spec.orientation,
                controls: spec.controls.clone(),
            };
            let failed = |source| CamerasError::Source { name: name.to_owned(), source };
            return Ok(Arc::new(devices.camera(path, options).map_err(failed)?));
        }
        SourceSpec::Network(address) => limited(Arc::new(create_network_camera(name, address, spec, common)?)),
        SourceSpec::Exec(command) => limited(Arc::new(Program::new(command.clone(), input, supervisor_command()))),
        SourceSpec::Rpicam(camera) => {
            // The module can flip pictures, but not turn them sideways.
            let flips = orientation.as_flips();
            if flips.is_some() {
                orientation = Orientation::default();
            }
            let options = RpicamOptions {
                camera: *camera,
                size: spec.size,
                rate: spec.rate,
                quality: spec.quality,
                flips: flips.unwrap_or_default(),
            };
            Arc::new(rpicam::source(options, supervisor_command()))
        }
        SourceSpec::Component(file) => {
            let slot = DriverSlot::new(name, None, file.clone(), sandbox()?);
            let failed = |source| CamerasError::DriverGrants { name: name.to_owned(), source };
            let settings = driver_settings(name, spec).map_err(failed)?;
            components.outgoing = settings.grants.outgoing.clone();
            components.driver = Some(slot.clone());
            limited(Arc::new(ComponentSource::new(slot, settings, common.allow_truncated)))
        }
        SourceSpec::Stdin => limited(Arc::new(StandardInput::new(input))),
        SourceSpec::Pipe(path) => limited(Arc::new(Fifo::new(path, input))),
        SourceSpec::TestPattern => Arc::new(TestPattern {
            size: spec.size.unwrap_or(TestPattern::DEFAULT_SIZE),
            rate: spec.rate.unwrap_or(TestPattern::DEFAULT_RATE),
            quality: spec.quality.unwrap_or(DEFAULT_QUALITY),
        }),
        SourceSpec::Emulated(Some(directory)) => {
            Arc::new(Emulated::from_folder(directory, spec.rate.unwrap_or(DEFAULT_RATE)))
        }
        // `resolved` is never `Auto`.
        SourceSpec::Emulated(None) | SourceSpec::Auto => {
            Arc::new(Emulated::embedded(spec.rate.unwrap_or(DEFAULT_RATE)))
        }
    };
    for (control, value) in &spec.controls {
        match source.set_control(control, *value) {
            // The control was meant for a device that `auto` did not find.
            Err(error) if spec.source == SourceSpec::Auto => warn!("camera {name}: {error}"),
            Err(source) => return Err(CamerasError::Control { name: name.to_owned(), source }),
            Ok(_) => {}
        }
    }
    Ok(Adjusted::adjust(source, None, orientation))
}

/// The command that runs a program so that it ends with the server: this program again.
fn supervisor_command() -> SupervisorCommand {
    // The running executable, even if its file was replaced since (proc_pid_exe(5)).
    SupervisorCommand { program: "/proc/self/exe".into(), arguments: vec!["supervise".into(), "--".into()] }
}

/// Reads the credentials of the camera with this name.
fn read_credentials(name: &str, file: &Path) -> Result<Credentials, CamerasError> {
    let text = read_private_file("credentials file", file, CREDENTIALS_FILE_LIMIT)
        .map_err(|source| CamerasError::CredentialsFile { name: name.to_owned(), source })?;
    let invalid = || CamerasError::InvalidCredentials { name: name.to_owned(), path: file.to_owned() };
    Credentials::parse(&text).ok_or_else(invalid)
}

fn create_network_camera(
    name: &str,
    address: &Address,
    spec: &CameraSpec,
    common: CommonOptions,
) -> Result<NetworkCamera, CamerasError> {
    if spec.is_insecure {
        warn!("camera {name}: the certificate of {address} is not verified (`insecure`)");
    }
    let options = NetworkOptions {
        rate: spec.rate,
        credentials: spec.credentials.as_deref().map(|file| read_credentials(name, file)).transpose()?,
        is_insecure: spec.is_insecure,
        allow_truncated: common.allow_truncated,
    };
    Ok(NetworkCamera::new(address.clone(), options))
}
