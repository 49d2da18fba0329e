//! The control file, through which a test changes a running camera.

use std::path::PathBuf;

use tempfile::TempDir;

/// A control file. Give its path to the camera as `FAKECAM_CTL`.
pub struct Control {
    _folder: TempDir,
    file: PathBuf,
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

impl Control {
    /// A file without settings.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("control");
        std::fs::write(&file, "").unwrap();
        Self { _folder: folder, file }
    }

    pub fn path(&self) -> &str {
        self.file.to_str().unwrap()
    }

    /// Replaces all settings, such as `FAKECAM_UNPLUGGED=1`, by these lines.
    pub fn set(&self, lines: &str) {
        // In one step, because the camera may read the file at any time.
        let new = self.file.with_extension("new");
        std::fs::write(&new, lines).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }
}
