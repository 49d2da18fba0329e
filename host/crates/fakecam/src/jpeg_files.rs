//! The JPEG files that a camera plays.

use std::path::Path;

/// The JPEG files of one size, sorted by name.
#[derive(Debug)]
pub(crate) struct JpegSequence {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) frames: Vec<Vec<u8>>,
}

impl JpegSequence {
    /// Returns the length of the longest file, in bytes.
    pub(crate) fn max_length(&self) -> usize {
        self.frames.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// Reads the JPEG files in a folder. Ignores hidden files and files that are not JPEGs.
pub(crate) fn read(folder: &Path) -> Vec<JpegSequence> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut sequences: Vec<JpegSequence> = Vec::new();
    for path in paths {
        let is_hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        let Some(jpeg) = std::fs::read(&path).ok().filter(|_| !is_hidden) else { continue };
        let Some((width, height)) = jpeg_size(&jpeg) else { continue };
        match sequences.iter_mut().find(|sequence| (sequence.width, sequence.height) == (width, height)) {
            Some(sequence) => sequence.frames.push(jpeg),
            None => sequences.push(JpegSequence { width, height, frames: vec![jpeg] }),
        }
    }
    sequences
}

/// Returns the width and height in a JPEG's frame header (T.81, B.2.2).
fn jpeg_size(jpeg: &[u8]) -> Option<(u32, u32)> {
    let word = |at: usize| Some(u32::from(*jpeg.get(at)?) << 8 | u32::from(*jpeg.get(at + 1)?));
    if !jpeg.starts_with(&[0xFF, 0xD8]) {
        return None;
    }
    let mut at = 2;
    loop {
        match word(at)? {
            0xFFC0..=0xFFC2 => return Some((word(at + 7)?, word(at + 5)?)),
            0xFF00.. => at += 2 + word(at + 2)? as usize,
            _ => return None,
        }
    }
}
