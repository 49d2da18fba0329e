//! The splitter of byte streams into JPEG images, with any bytes in any portions.
#![no_main]

use hotshoe_camera::jpeg::{Options, Piece, Splitter, validate};
use libfuzzer_sys::fuzz_target;

/// Small, so that images over the limit occur.
const MAX_IMAGE: usize = 2048;

fn split<'a>(portions: impl Iterator<Item = &'a [u8]>) -> (Vec<Piece>, u64) {
    let mut splitter = Splitter::new(MAX_IMAGE);
    let mut pieces = Vec::new();
    for portion in portions {
        splitter.push(portion);
        while let Some(piece) = splitter.next_piece() {
            pieces.push(piece);
        }
    }
    (pieces, splitter.skipped())
}

/// The images before the first one over the limit, which is dropped earlier if it arrives in small portions.
fn images(pieces: &[Piece]) -> Vec<&[u8]> {
    let within_limit = pieces.iter().take_while(|piece| **piece != Piece::TooLarge);
    within_limit.filter_map(|piece| if let Piece::Image(bytes) = piece { Some(&bytes[..]) } else { None }).collect()
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let (whole, skipped) = split(std::iter::once(bytes));
    let (portions, _) = split(bytes.chunks(usize::from(size) + 1));
    assert!(skipped <= bytes.len() as u64);
    let (whole, portions) = (images(&whole), images(&portions));
    let common = whole.len().min(portions.len());
    assert_eq!(whole[..common], portions[..common]);
    for image in whole {
        assert!(image.len() <= MAX_IMAGE);
        assert!(image.starts_with(&[0xFF, 0xD8, 0xFF]));
        // A valid image with a single scan is one whole piece.
        if let Ok(info) = validate(image, Options::default()) {
            assert!(!info.headers.single_scan || info.length == image.len());
        }
    }
});
