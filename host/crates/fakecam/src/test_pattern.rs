//! The picture that the camera delivers as YUYV: colour bars that move to the left, with the frame's sequence number
//! drawn into the top left corner.

/// The colours of the bars from left to right, as Y, Cb and Cr in limited range (BT.601).
pub const BARS: [[u8; 3]; 8] = [
    [180, 128, 128],
    [162, 44, 142],
    [131, 156, 44],
    [112, 72, 58],
    [84, 184, 198],
    [65, 100, 212],
    [35, 212, 114],
    [16, 128, 128],
];

/// The number of black or white squares that show the sequence number, the most significant bit first.
pub const SQUARES: usize = 32;

/// Returns the bar at a column of a frame, as an index of [`BARS`]. The bars move by two pixels per frame.
#[must_use]
pub fn bar_at(x: usize, width: usize, sequence: u32) -> usize {
    (x + sequence as usize * 2) % width * BARS.len() / width
}

/// Returns the side length of a square, in pixels.
#[must_use]
pub fn square_size(width: usize) -> usize {
    width / 40
}

/// Draws a frame in YUYV. The width must be even.
pub(crate) fn draw(width: usize, height: usize, sequence: u32) -> Vec<u8> {
    let row: Vec<u8> = (0..width)
        .step_by(2)
        .flat_map(|x| {
            let [y, u, v] = BARS[bar_at(x, width, sequence)];
            [y, u, y, v]
        })
        .collect();
    let mut bytes = row.repeat(height);
    let square = square_size(width);
    for row in bytes.chunks_exact_mut(width * 2).take(square) {
        for (x, pixel) in row.chunks_exact_mut(2).take(square * SQUARES).enumerate() {
            let is_white = sequence >> (SQUARES - 1 - x / square) & 1 == 1;
            pixel.copy_from_slice(&[if is_white { 235 } else { 16 }, 128]);
        }
    }
    bytes
}
