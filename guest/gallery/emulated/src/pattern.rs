//! The test pattern: colour bars with the time of day, the frame number and a moving bar, so that a screenshot shows how
//! old a picture is and whether frames were lost.

use std::time::SystemTime;

use jpeg_encoder::{ColorType, Encoder};

use crate::digits;

/// White, yellow, cyan, green, magenta, red, blue and black at 75 %, in RGB.
const BARS: [[u8; 3]; 8] =
    [[191, 191, 191], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0], [0, 0, 191], [0, 0, 0]];

/// The moving bar needs as many frames for the way across the picture.
const BAR_STEPS: u64 = 64;

/// The JPEG quality, from 1 to 100: text stays sharp.
const QUALITY: u8 = 85;

/// The size of a picture, in pixels.
#[derive(Clone, Copy)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

/// A picture in RGB.
pub struct Canvas {
    pub size: Size,
    pixels: Vec<u8>,
}

impl Canvas {
    /// Fills a rectangle. Parts outside of the picture are left out.
    pub fn fill(&mut self, left: u32, top: u32, width: u32, height: u32, colour: [u8; 3]) {
        let columns = left.min(self.size.width)..left.saturating_add(width).min(self.size.width);
        for row in top.min(self.size.height)..top.saturating_add(height).min(self.size.height) {
            for column in columns.clone() {
                let at = (row as usize * self.size.width as usize + column as usize) * 3;
                self.pixels[at..at + 3].copy_from_slice(&colour);
            }
        }
    }
}

/// Draws and encodes the picture with this number.
pub fn draw(size: Size, number: u64) -> Result<Vec<u8>, String> {
    let Size { width, height } = size;
    let (Ok(jpeg_width), Ok(jpeg_height)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(format!("a JPEG image cannot have {width}x{height} pixels"));
    };
    let mut canvas = Canvas { size, pixels: vec![0; width as usize * height as usize * 3] };
    let bar_width = width.div_ceil(BARS.len() as u32);
    for (index, colour) in (0..).zip(BARS) {
        canvas.fill(index * bar_width, 0, bar_width, height, colour);
    }
    let step = u32::try_from(number % BAR_STEPS).unwrap_or_default();
    let step_width = width.div_ceil(BAR_STEPS as u32);
    canvas.fill(step * step_width, 0, step_width, height, [255; 3]);
    // A black band in the middle, for the text.
    let third = height / 3;
    canvas.fill(0, third, width, third, [0; 3]);
    digits::write(&mut canvas, third, third / 2, &clock());
    digits::write(&mut canvas, third + third / 2, third / 2, &number.to_string());

    let mut jpeg = Vec::new();
    let encoder = Encoder::new(&mut jpeg, QUALITY);
    encoder
        .encode(&canvas.pixels, jpeg_width, jpeg_height, ColorType::Rgb)
        .map_err(|error| format!("cannot encode the test pattern: {error}"))?;
    Ok(jpeg)
}

/// The time of day in UTC.
fn clock() -> String {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = since_epoch.as_secs();
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}", seconds % 60, since_epoch.subsec_millis())
}
