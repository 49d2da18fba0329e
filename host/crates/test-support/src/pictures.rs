//! Folders of pictures that tell which they are.

use std::fs;
use std::path::Path;

use super::built_in_pictures;

/// Fill a folder with `count` pictures of at least `length` bytes. Each has its number, from 0, in a comment
/// (a COM segment) behind its start, where [`number`] finds it.
pub fn fill(folder: &Path, count: u32, length: usize) {
    let base = &built_in_pictures()[0];
    // A comment holds 65,533 bytes at most.
    let mut filling = Vec::new();
    while base.len() + filling.len() < length {
        filling.extend([0xFF, 0xFE, 0xFF, 0xFF]);
        filling.extend([b'x'; 65_533]);
    }
    for number in 0..count {
        let mut picture = base[..2].to_vec();
        picture.extend([0xFF, 0xFE, 0, 6]);
        picture.extend(number.to_be_bytes());
        picture.extend(&filling);
        picture.extend(&base[2..]);
        fs::write(folder.join(format!("{number:05}.jpg")), picture).unwrap();
    }
}

/// The number of a picture that [`fill`] made.
pub fn number(picture: &[u8]) -> u32 {
    assert_eq!(picture[2..6], [0xFF, 0xFE, 0, 6]);
    u32::from_be_bytes(picture[6..10].try_into().unwrap())
}

/// How many pictures [`fill_visibly`] can tell apart.
pub const VISIBLE_NUMBERS: u32 = 256;

/// Fill a folder with [`VISIBLE_NUMBERS`] pictures of 160x120 that show their numbers: eight columns, from left to right
/// the bits from the highest to the lowest, white for 1 and black for 0.
pub fn fill_visibly(folder: &Path) {
    const WIDTH: u16 = 160;
    const HEIGHT: u16 = 120;
    for number in 0..VISIBLE_NUMBERS {
        let pixel = |x: u16| if number >> (7 - x / (WIDTH / 8)) & 1 == 1 { 255 } else { 0 };
        let row: Vec<u8> = (0..WIDTH).map(pixel).collect();
        let pixels = row.repeat(HEIGHT.into());
        let encoder = jpeg_encoder::Encoder::new_file(folder.join(format!("{number:05}.jpg")), 80).unwrap();
        encoder.encode(&pixels, WIDTH, HEIGHT, jpeg_encoder::ColorType::Luma).unwrap();
    }
}

/// The width and height in a JPEG image's frame header (T.81, B.2.2).
#[track_caller]
pub fn jpeg_size(jpeg: &[u8]) -> (u16, u16) {
    let word = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
    let mut at = 2;
    while jpeg[at + 1] != 0xC0 {
        at += 2 + usize::from(word(at + 2));
    }
    (word(at + 7), word(at + 5))
}
