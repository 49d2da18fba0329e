//! The sources of settings: environment variables and the control file.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The environment variables at start-up, and the control file.
#[derive(Debug, Default)]
pub struct Environment {
    variables: HashMap<String, String>,
    control_path: Option<PathBuf>,
    control_file: Mutex<ControlFile>,
}

/// The control file as it was last read.
#[derive(Debug, Default)]
struct ControlFile {
    /// Inode number and modification time, in seconds and nanoseconds.
    identity: Option<(u64, i64, i64)>,
    settings: HashMap<String, String>,
    /// Incremented with each change.
    version: u64,
}

impl Environment {
    /// Creates an environment from variables such as `FAKECAM_STAMP`. Ignores variables with other prefixes.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables: HashMap<_, _> =
            variables.into_iter().filter(|(name, value)| name.starts_with("FAKECAM") && !value.is_empty()).collect();
        let control_path = variables.get("FAKECAM_CTL").map(PathBuf::from);
        Self { variables, control_path, control_file: Mutex::default() }
    }

    /// Reads the environment of this process. Ignores variables that are not UTF-8.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// Returns a variable. Does not read the control file.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Returns the control file, after reading it again if it has changed.
    fn control_file(&self) -> MutexGuard<'_, ControlFile> {
        let mut control_file = self.control_file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &self.control_path else { return control_file };
        let identity = std::fs::metadata(path).ok().map(|file| (file.ino(), file.mtime(), file.mtime_nsec()));
        if control_file.identity != identity {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let settings = text.lines().filter_map(|line| line.split_once('='));
            control_file.settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            control_file.identity = identity;
            control_file.version += 1;
        }
        control_file
    }
}

/// The settings of one camera.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    environment: Arc<Environment>,
    camera: usize,
}

impl Settings {
    pub(crate) fn new(environment: Arc<Environment>, camera: usize) -> Self {
        Self { environment, camera }
    }

    /// Returns the camera's index.
    pub(crate) fn camera(&self) -> usize {
        self.camera
    }

    /// Returns a number that changes whenever the control file changes.
    pub(crate) fn version(&self) -> u64 {
        self.environment.control_file().version
    }

    /// Returns a setting. `FAKECAM<N>_NAME` takes precedence over `FAKECAM_NAME`, and for each of them the control file
    /// over the environment.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let control_file = self.environment.control_file();
        [format!("FAKECAM{}_{name}", self.camera), format!("FAKECAM_{name}")]
            .iter()
            .find_map(|name| control_file.settings.get(name).or_else(|| self.environment.variables.get(name)).cloned())
    }

    /// Returns a numeric setting, or `default` if it is missing or not a number.
    pub(crate) fn number(&self, name: &str, default: f64) -> f64 {
        self.text(name).and_then(|text| text.trim().parse().ok()).unwrap_or(default)
    }

    /// Returns the camera's name.
    pub(crate) fn card(&self) -> String {
        self.text("CARD").unwrap_or_else(|| format!("Fakecam {}", self.camera))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_settings_and_the_control_file_take_precedence() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("control");
        let variables = [
            ("FAKECAM_RATE", "1"),
            ("FAKECAM1_RATE", "2"),
            ("FAKECAM_PAD", ""),
            ("FAKECAM_CTL", file.to_str().unwrap()),
            ("OTHER_RATE", "9"),
        ];
        let environment =
            Arc::new(Environment::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))));
        let [first, second] = [0, 1].map(|camera| Settings::new(environment.clone(), camera));
        assert_eq!((first.number("RATE", 0.0), second.number("RATE", 0.0)), (1.0, 2.0));
        assert_eq!(first.number("PAD", 7.0), 7.0, "an empty variable is ignored");
        let version = first.version();
        std::fs::write(&file, "FAKECAM_RATE=3\nFAKECAM1_RATE=4\n").unwrap();
        assert_eq!((first.number("RATE", 0.0), second.number("RATE", 0.0)), (3.0, 4.0));
        assert_ne!(first.version(), version);
        std::fs::remove_file(&file).unwrap();
        assert_eq!((first.number("RATE", 0.0), second.number("RATE", 0.0)), (1.0, 2.0));
    }
}
