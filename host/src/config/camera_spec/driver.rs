//! The options of a camera whose driver is a component.

use std::path::PathBuf;

use super::error::CameraSpecError;

/// What a driver gets. By default nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DriverSpec {
    /// All other options, as names and values.
    pub options: Vec<(String, String)>,
    /// `dir=`: a directory whose files it may read.
    pub directory: Option<PathBuf>,
    /// `env=KEY:VALUE`: its configuration.
    pub environment: Vec<(String, String)>,
    /// `env-file=KEY:FILE`: more of it, with values from files.
    pub environment_files: Vec<(String, PathBuf)>,
    /// `allow-outgoing=`: where it may send HTTP requests to.
    pub outgoing: Vec<String>,
}

impl DriverSpec {
    /// Adds an option.
    pub(super) fn add(&mut self, option: &str) -> Result<(), CameraSpecError> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "dir" => self.directory = Some(value.into()),
            "env" => self.environment.push(assignment("env", value)?),
            "env-file" => {
                let (key, file) = assignment("env-file", value)?;
                self.environment_files.push((key, file.into()));
            }
            "allow-outgoing" => self.outgoing.push(value.to_owned()),
            "" => return Err(CameraSpecError::InvalidDriverOption(option.to_owned())),
            _ => self.options.push((name.to_owned(), value.to_owned())),
        }
        Ok(())
    }
}

/// Splits `KEY:VALUE`. The error does not show the value, which may be a secret.
fn assignment(option: &'static str, text: &str) -> Result<(String, String), CameraSpecError> {
    let assignment = text.split_once(':').filter(|(key, _)| !key.is_empty());
    let (key, value) = assignment.ok_or(CameraSpecError::InvalidEnvironment(option))?;
    Ok((key.to_owned(), value.to_owned()))
}
