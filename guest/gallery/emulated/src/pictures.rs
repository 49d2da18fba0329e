//! What the camera delivers.

use std::fs;
use std::path::PathBuf;

use crate::pattern::{self, Size};

/// The pictures of the tutorial.
const BUILT_IN: [&[u8]; 3] = [
    include_bytes!("../../../../frames/1.jpg"),
    include_bytes!("../../../../frames/2.jpg"),
    include_bytes!("../../../../frames/3.jpg"),
];

/// The largest test pattern, in pixels: Full HD. A drawn picture takes three bytes for each, and an instance has 32 MiB
/// by default.
const MAX_PIXELS: u64 = 1920 * 1080;

/// What the camera delivers.
pub enum Pictures {
    BuiltIn,
    /// The JPEG files in the granted directory, in the order of their names. Each is read when it is due, so it may
    /// change.
    Files(Vec<PathBuf>),
    Pattern(Size),
}

impl Pictures {
    pub fn built_in() -> Self {
        Self::BuiltIn
    }

    /// The pictures in the granted directory.
    pub fn in_directory() -> Result<Self, String> {
        let entries = fs::read_dir("/").map_err(|error| format!("cannot list the pictures ({error}); add dir=DIR"))?;
        let is_jpeg = |path: &PathBuf| {
            path.extension().is_some_and(|end| end.eq_ignore_ascii_case("jpg") || end.eq_ignore_ascii_case("jpeg"))
        };
        let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_jpeg).collect();
        files.sort();
        if files.is_empty() {
            return Err("the directory has no JPEG file (.jpg, .jpeg)".to_owned());
        }
        Ok(Self::Files(files))
    }

    /// A test pattern, 640x480 unless another size is requested.
    pub fn pattern(size: Option<Size>) -> Result<Self, String> {
        let size = size.unwrap_or(Size { width: 640, height: 480 });
        if u64::from(size.width) * u64::from(size.height) > MAX_PIXELS {
            return Err("the test pattern is too large; use at most size=1920x1080".to_owned());
        }
        Ok(Self::Pattern(size))
    }

    /// Frames per second unless `fps=` says otherwise: three pictures are a slide show, a pattern moves.
    pub fn default_rate(&self) -> f64 {
        match self {
            Self::BuiltIn | Self::Files(_) => 1.0,
            Self::Pattern(_) => 15.0,
        }
    }

    /// The picture with this number.
    pub fn get(&self, number: u64) -> Result<Vec<u8>, String> {
        let index = |count: usize| usize::try_from(number % count as u64).unwrap_or_default();
        match self {
            Self::BuiltIn => Ok(BUILT_IN[index(BUILT_IN.len())].to_vec()),
            Self::Files(files) => {
                let file = &files[index(files.len())];
                fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
            }
            Self::Pattern(size) => pattern::draw(*size, number),
        }
    }
}
