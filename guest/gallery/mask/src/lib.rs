//! A filter that hides parts of a camera's picture: black, or as a mosaic.
//!
//! `areas` has polygons, separated by `+`. Their corners are separated by `_`, as fractions of width and height from the
//! upper left corner: `0.2x0.1_0.5x0.1_0.5x0.6`. `mosaic=N` makes tiles of N times 8 pixels instead of black. `quality`
//! is that of the images, 1 to 100, by default 85.
//!
//! Without valid settings it traps, so that no picture is shown.

use areas::Polygon;
use bindings::exports::hotshoe::camera::filter::{Frame, Guest};
use bindings::hotshoe::camera::frames::{Dimensions, Image};
use bindings::hotshoe::camera::pixels::{self, Area, ErrorCode, Format, Scale};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit/camera",
        world: "hotshoe:camera/frame-filter",
        generate_all,
    });
}

struct Component;

bindings::export!(Component with_types_in bindings);

/// A black pixel.
const BLACK: [u8; 3] = [0, 128, 128];

thread_local! {
    static MASK: Mask = Mask::from_environment();
}

impl Guest for Component {
    fn apply(frame: Frame) -> Option<Frame> {
        match MASK.with(|mask| mask.hide(&frame.image)) {
            Ok(image) => Some(Frame { image, ..frame }),
            Err(error) => {
                eprintln!("frame {} is not shown: {error:?}", frame.sequence);
                None
            }
        }
    }
}

struct Mask {
    polygons: Vec<Polygon>,
    /// The side of a tile, in pixels.
    tile: Option<u32>,
    quality: u8,
}

impl Mask {
    fn from_environment() -> Self {
        let areas = std::env::var("areas").expect("set areas=, for example areas=0x0_0.5x0_0.5x0.5");
        let polygons = Polygon::parse_all(&areas);
        let tile = match options::number("mosaic", 0, 1..=255) {
            0 => None,
            blocks => Some(8 * blocks),
        };
        Self { polygons, tile, quality: options::number("quality", 85, 1..=100) }
    }

    fn hide(&self, image: &Image) -> Result<Image, ErrorCode> {
        let picture = pixels::decode(image, Scale::Full, Format::Yuv)?;
        let size = picture.info().dimensions;
        let tiles = self.tile.map(|tile| Tiles::new(image, tile)).transpose()?;
        for polygon in &self.polygons {
            for top in 0..size.height {
                for (left, right) in polygon.spans(top, size.width, size.height) {
                    let line: Vec<u8> = (left..right)
                        .flat_map(|x| tiles.as_ref().map_or(BLACK, |tiles| tiles.colour(x, top)))
                        .collect();
                    let dimensions = Dimensions { width: right - left, height: 1 };
                    picture.write(Area { left, top, dimensions }, &line)?;
                }
            }
        }
        picture.encode(self.quality)
    }
}

/// The colours of the tiles of a mosaic: for each, the mean of its first 8x8 pixels.
struct Tiles {
    pixels: Vec<u8>,
    width: u32,
    side: u32,
}

impl Tiles {
    fn new(image: &Image, side: u32) -> Result<Self, ErrorCode> {
        let small = pixels::decode(image, Scale::Eighth, Format::Yuv)?;
        Ok(Self { width: small.info().dimensions.width, pixels: small.read(None)?, side })
    }

    fn colour(&self, x: u32, y: u32) -> [u8; 3] {
        let block = |at: u32| at / self.side * self.side / 8;
        let at = 3 * (block(y) * self.width + block(x)) as usize;
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }
}
