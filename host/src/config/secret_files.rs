//! What the files that the options of a camera name contain, to notice when they change.

use sha2::{Digest as _, Sha256};

use super::camera_spec::CameraSpec;
use super::grant_args::VALUE_FILE_LIMIT;
use crate::process::private_file::read_private_file;

/// How much of a credentials file is read, in bytes. No password is longer.
pub(super) const CREDENTIALS_FILE_LIMIT: u64 = 4 << 10;

/// A digest of `credentials=` and `env-file=` of a camera. `None` if a file cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct SecretFiles(Option<[u8; 32]>);

impl SecretFiles {
    /// Reads the files. Blocks while it does.
    pub(super) fn read(spec: &CameraSpec) -> Self {
        let credentials = spec.credentials.iter().map(|file| (file, CREDENTIALS_FILE_LIMIT));
        let values = spec.driver.environment_files.iter().map(|(_, file)| (file, VALUE_FILE_LIMIT));
        let mut digest = Sha256::new();
        for (file, limit) in credentials.chain(values) {
            let Ok(text) = read_private_file("file", file, limit) else { return Self(None) };
            digest.update(Sha256::digest(text));
        }
        Self(Some(digest.finalize().into()))
    }

    /// Whether these are the files of a running camera as they were. A file that can no longer be read counts as
    /// unchanged: some people remove secrets once they are in use.
    pub(super) fn are_those_of(self, running: Self) -> bool {
        self.0.is_none() || self == running
    }
}
