//! The file for the picture.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::camera::JpegImage;
use crate::commands::error::CommandError;

/// The most names tried without `--output`, so that the search ends in a folder in which every file seems to exist.
const MAX_NAMES: u32 = 1000;

/// A file for the picture, which does not exist yet.
pub(super) struct PictureFile(PathBuf);

impl PictureFile {
    /// Returns `requested`, which must not exist, or the first free name: `probe.jpg`, `probe-2.jpg` and so on.
    pub(super) fn choose(requested: Option<&Path>) -> Result<Self, CommandError> {
        // A link to nowhere exists too.
        let is_free = |path: &Path| path.symlink_metadata().is_err();
        if let Some(requested) = requested {
            return match is_free(requested) {
                true => Ok(Self(requested.to_owned())),
                false => Err(CommandError::PictureExists(requested.to_owned())),
            };
        }
        let first = PathBuf::from("probe.jpg");
        let mut names = std::iter::once(first.clone())
            .chain((2..=MAX_NAMES).map(|number| PathBuf::from(format!("probe-{number}.jpg"))));
        names.find(|name| is_free(name)).map(Self).ok_or(CommandError::PictureExists(first))
    }

    /// Writes the image, and never over another file. Returns the path.
    pub(super) fn save(self, image: &JpegImage) -> Result<PathBuf, CommandError> {
        let Self(path) = self;
        let opened = OpenOptions::new().write(true).create_new(true).open(&path);
        match opened.and_then(|mut file| file.write_all(&image.bytes)) {
            Ok(()) => Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(CommandError::PictureExists(path)),
            Err(source) => Err(CommandError::Write { path, source }),
        }
    }
}
