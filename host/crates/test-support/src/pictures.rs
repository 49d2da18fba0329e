//! Folders of numbered JPEGs.

use std::fs;
use std::path::Path;

use super::built_in_pictures;

/// Fills a folder with `count` JPEGs of at least `length` bytes. Each contains its number, starting with 0, in a
/// comment after SOI, where [`number`] finds it.
pub fn fill(folder: &Path, count: u32, length: usize) {
    let base = &built_in_pictures()[0];
    // A comment holds at most 65,533 bytes.
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

/// Returns the number of a JPEG that [`fill`] wrote.
pub fn number(picture: &[u8]) -> u32 {
    assert_eq!(picture[2..6], [0xFF, 0xFE, 0, 6]);
    u32::from_be_bytes(picture[6..10].try_into().unwrap())
}

/// The number of JPEGs that [`fill_with_visible_numbers`] writes.
pub const VISIBLE_NUMBERS: u32 = 256;

/// Fills a folder with [`VISIBLE_NUMBERS`] JPEGs of 160x120 pixels that show their numbers in eight columns: the bits,
/// the most significant one on the left, white for 1 and black for 0.
pub fn fill_with_visible_numbers(folder: &Path) {
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

/// Returns the width and height in a JPEG's frame header (T.81, B.2.2).
#[track_caller]
pub fn jpeg_size(jpeg: &[u8]) -> (u16, u16) {
    let word = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
    let mut at = 2;
    while jpeg[at + 1] != 0xC0 {
        at += 2 + usize::from(word(at + 2));
    }
    (word(at + 7), word(at + 5))
}
