//! From the options of a camera to what its driver gets.

use std::path::PathBuf;

use super::camera_spec::CameraSpec;
use super::grant_args::{VALUE_FILE_LIMIT, without_line_end};
use crate::process::private_file::{PrivateFileError, read_private_file};
use crate::sandbox::{Configuration, ConfigurationError, Directory, DirectoryError, DriverSettings, Grants, Outgoing};
use crate::tls_client::TlsError;

/// An option that grants something to a driver cannot be used. Displays as one line, without values.
#[derive(Debug, thiserror::Error)]
pub enum DriverGrantsError {
    /// The file with a value cannot be used.
    #[error("env-file={key}: {source}")]
    File {
        /// The key.
        key: String,
        /// What is wrong with the file.
        source: PrivateFileError,
    },
    /// A key or value is invalid.
    #[error("env= or env-file=: {0}")]
    Configuration(#[from] ConfigurationError),
    /// The directory cannot be used.
    #[error("dir={}: {source}", path.display())]
    Directory {
        /// The path.
        path: PathBuf,
        /// Why.
        source: DirectoryError,
    },
    /// An origin is malformed.
    #[error("allow-outgoing={origin}: {reason}")]
    Outgoing {
        /// As typed.
        origin: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Requests to HTTPS origins cannot be sent.
    #[error("allow-outgoing=: {0}")]
    Tls(#[from] TlsError),
}

/// Reads the files, opens the directory, and creates the settings of the driver of the camera with this name. Blocks
/// while it does.
pub(super) fn driver_settings(camera: &str, spec: &CameraSpec) -> Result<DriverSettings, DriverGrantsError> {
    let driver = &spec.driver;
    let mut entries = driver.environment.clone();
    for (key, file) in &driver.environment_files {
        let text = read_private_file("file", file, VALUE_FILE_LIMIT)
            .map_err(|source| DriverGrantsError::File { key: key.clone(), source })?;
        entries.push((key.clone(), without_line_end(&text).to_owned()));
    }
    let directory = driver.directory.as_deref().map(|path| {
        Directory::open(path).map_err(|source| DriverGrantsError::Directory { path: path.to_owned(), source })
    });
    let invalid = |origin: &String, reason| DriverGrantsError::Outgoing { origin: origin.clone(), reason };
    let destinations = driver.outgoing.iter().map(|origin| origin.parse().map_err(|reason| invalid(origin, reason)));
    let grants = Grants {
        configuration: Configuration::new(entries)?,
        directory: directory.transpose()?,
        outgoing: Outgoing::new(destinations.collect::<Result<_, _>>()?)?,
        ..Grants::default()
    };
    let options = driver.options.clone();
    Ok(DriverSettings { camera: camera.into(), size: spec.size, rate: spec.rate, options, grants })
}
