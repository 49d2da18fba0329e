//! A font of digits, three pixels wide and five high, at any size.

use crate::pattern::Canvas;

const WIDTH: u32 = 3;
const HEIGHT: u32 = 5;

/// The rows of each character, from the top. The highest of three bits is the left pixel.
const FONT: [(char, [u8; 5]); 12] = [
    ('0', [0b111, 0b101, 0b101, 0b101, 0b111]),
    ('1', [0b010, 0b110, 0b010, 0b010, 0b111]),
    ('2', [0b111, 0b001, 0b111, 0b100, 0b111]),
    ('3', [0b111, 0b001, 0b111, 0b001, 0b111]),
    ('4', [0b101, 0b101, 0b111, 0b001, 0b001]),
    ('5', [0b111, 0b100, 0b111, 0b001, 0b111]),
    ('6', [0b111, 0b100, 0b111, 0b101, 0b111]),
    ('7', [0b111, 0b001, 0b010, 0b010, 0b010]),
    ('8', [0b111, 0b101, 0b111, 0b101, 0b111]),
    ('9', [0b111, 0b101, 0b111, 0b001, 0b111]),
    (':', [0b000, 0b010, 0b000, 0b010, 0b000]),
    ('.', [0b000, 0b000, 0b000, 0b000, 0b010]),
];

/// Writes a line of white text in the middle of a band, as large as it fits. Characters that the font lacks are blank.
pub fn write(canvas: &mut Canvas, top: u32, height: u32, text: &str) {
    // A column and a row remain free on each side.
    let columns = text.len() as u32 * (WIDTH + 1) + 1;
    let scale = (canvas.size.width / columns).min(height / (HEIGHT + 2));
    let left = (canvas.size.width - columns * scale) / 2 + scale;
    let top = top + (height - (HEIGHT + 2) * scale) / 2 + scale;
    for (index, char) in (0..).zip(text.chars()) {
        let Some((_, rows)) = FONT.iter().find(|(known, _)| *known == char) else { continue };
        for (row, bits) in (0..).zip(rows) {
            for column in (0..WIDTH).filter(|column| bits >> (WIDTH - 1 - column) & 1 == 1) {
                let x = left + (index * (WIDTH + 1) + column) * scale;
                canvas.fill(x, top + row * scale, scale, scale, [255; 3]);
            }
        }
    }
}
