//! The control file, with which a test changes the settings of a running camera.

use std::path::PathBuf;

use tempfile::TempDir;

/// A control file. Pass its path to the camera as `FAKECAM_CTL`. Deleted when dropped.
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
    /// Creates a file without settings.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("control");
        std::fs::write(&file, "").unwrap();
        Self { _folder: folder, file }
    }

    pub fn path(&self) -> &str {
        self.file.to_str().unwrap()
    }

    /// Replaces all settings by these lines, such as `FAKECAM_UNPLUGGED=1`.
    pub fn set(&self, lines: &str) {
        // Atomic, because the camera may read the file at any time.
        let new = self.file.with_extension("new");
        std::fs::write(&new, lines).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }
}
