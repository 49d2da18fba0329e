//! Where settings come from: environment variables and the control file.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The variables that the cameras were started with, and the control file.
#[derive(Debug, Default)]
pub struct Environment {
    variables: HashMap<String, String>,
    control_path: Option<PathBuf>,
    control: Mutex<Control>,
}

/// What the control file said when it was last read.
#[derive(Debug, Default)]
struct Control {
    /// The file's identity: its number and when it was last modified.
    stamp: Option<(u64, i64, i64)>,
    lines: HashMap<String, String>,
    /// Counts the changes.
    version: u64,
}

impl Environment {
    /// Settings by their full names, such as `FAKECAM_STAMP`.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables: HashMap<_, _> =
            variables.into_iter().filter(|(name, value)| name.starts_with("FAKECAM") && !value.is_empty()).collect();
        let control_path = variables.get("FAKECAM_CTL").map(PathBuf::from);
        Self { variables, control_path, control: Mutex::default() }
    }

    /// The settings in the environment of this process. Variables that are not UTF-8 are ignored.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// A variable, without the control file.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Reads the control file again if it was changed.
    fn control(&self) -> MutexGuard<'_, Control> {
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &self.control_path else { return control };
        let stamp = std::fs::metadata(path).ok().map(|file| (file.ino(), file.mtime(), file.mtime_nsec()));
        if control.stamp != stamp {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines = text.lines().filter_map(|line| line.split_once('='));
            control.lines = lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            control.stamp = stamp;
            control.version += 1;
        }
        control
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

    pub(crate) fn camera(&self) -> usize {
        self.camera
    }

    /// Counts the changes of the control file.
    pub(crate) fn version(&self) -> u64 {
        self.environment.control().version
    }

    /// A camera's own setting takes precedence over the common one, and the control file over the environment.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let control = self.environment.control();
        [format!("FAKECAM{}_{name}", self.camera), format!("FAKECAM_{name}")]
            .iter()
            .find_map(|name| control.lines.get(name).or_else(|| self.environment.variables.get(name)).cloned())
    }

    /// A number; `default` if the setting is missing or not a number.
    pub(crate) fn number(&self, name: &str, default: f64) -> f64 {
        self.text(name).and_then(|text| text.trim().parse().ok()).unwrap_or(default)
    }

    /// The camera's name.
    pub(crate) fn card(&self) -> String {
        self.text("CARD").unwrap_or_else(|| format!("Fakecam {}", self.camera))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence() {
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
        assert_eq!(first.number("PAD", 7.0), 7.0, "an empty variable is no setting");
        let version = first.version();
        std::fs::write(&file, "FAKECAM_RATE=3\nFAKECAM1_RATE=4\n").unwrap();
        assert_eq!((first.number("RATE", 0.0), second.number("RATE", 0.0)), (3.0, 4.0));
        assert_ne!(first.version(), version);
        std::fs::remove_file(&file).unwrap();
        assert_eq!((first.number("RATE", 0.0), second.number("RATE", 0.0)), (1.0, 2.0));
    }
}
