//! Pictures with known moving objects: what is true is known for each.

use std::fs;
use std::path::Path;

use hotshoe::camera::Dimensions;
use hotshoe::camera::pixels::{Area, Format, Picture};

pub const WIDTH: u32 = 640;
pub const HEIGHT: u32 = 480;

/// What is narrower is a strip.
const MIN_SIDE: f64 = 24.0;

/// A rectangle in pixels: left, top, right, bottom.
pub type Rectangle = [f64; 4];

/// A part of the sequence.
pub struct Scene {
    pub name: &'static str,
    /// The number of pictures.
    length: u32,
    /// The brightness of the light in each.
    light: fn(u32) -> f64,
    /// What moves in each: the left and the top edge, the size, and the luma.
    objects: fn(u32) -> Vec<[i32; 5]>,
}

/// The scenes, in order. The light of the first is that of the next.
pub const SCENES: [Scene; 4] = [
    Scene { name: "a still scene with noise", length: 60, light: |_| 1.0, objects: |_| vec![] },
    Scene { name: "moving shapes over noise", length: 110, light: |_| 1.0, objects: shapes },
    Scene { name: "a moving shape in changing light", length: 110, light: changing, objects: shape },
    Scene { name: "flickering light", length: 60, light: |at| 0.8 + 0.03 * f64::from(at % 2), objects: |_| vec![] },
];

/// A dark one crosses from left to right and a bright one from top to bottom, in opposite phases of two.
fn shapes(at: u32) -> Vec<[i32; 5]> {
    let at = at as i32;
    vec![[8 * at - 80, 120, 72, 96, 30], [440, 6 * at - 120, 88, 64, 220]]
}

/// One crosses from right to left, in and out of the dark.
fn shape(at: u32) -> Vec<[i32; 5]> {
    let at = at as i32;
    vec![[700 - 9 * at, 260, 80, 80, if at < 55 { 25 } else { 210 }]]
}

/// Dusk, then a lamp is switched on, then off.
fn changing(at: u32) -> f64 {
    match at {
        0..40 => 1.0 - f64::from(at) * 0.0125,
        40..80 => 0.9,
        _ => 0.8,
    }
}

/// What is true for a picture of the sequence.
pub struct Truth {
    /// The index of its scene.
    pub scene: usize,
    /// The objects, as far as they are in the picture.
    pub objects: Vec<Rectangle>,
    /// Those of them of which only a strip is in the picture. They need not be found.
    pub strips: Vec<Rectangle>,
}

/// Writes the sequence to a folder. Returns for each picture its bytes and what is true.
pub fn write(folder: &Path) -> Vec<(Vec<u8>, Truth)> {
    let mut pictures = Vec::new();
    let mut random = 0x2545_F491_u32;
    for (scene, Scene { length, light, objects, .. }) in SCENES.iter().enumerate() {
        for at in 0..*length {
            let objects = objects(at);
            let jpeg = draw(light(at), &objects, &mut random);
            fs::write(folder.join(format!("{:04}.jpg", pictures.len())), &jpeg).unwrap();
            let is_strip = |[left, top, right, bottom]: &Rectangle| (right - left).min(bottom - top) < MIN_SIDE;
            let (strips, objects) = objects.iter().filter_map(visible).partition(is_strip);
            pictures.push((jpeg, Truth { scene, objects, strips }));
        }
    }
    pictures
}

/// The part of an object that is in the picture.
fn visible(&[left, top, width, height, _]: &[i32; 5]) -> Option<Rectangle> {
    let (right, bottom) = ((left + width).min(WIDTH as i32), (top + height).min(HEIGHT as i32));
    let (left, top) = (left.max(0), top.max(0));
    (right > left && bottom > top).then_some([left, top, right, bottom].map(f64::from))
}

/// A picture of a wall with a window, in this light, with the noise of a cheap camera.
fn draw(light: f64, objects: &[[i32; 5]], random: &mut u32) -> Vec<u8> {
    let mut noise = || {
        *random ^= *random << 13;
        *random ^= *random >> 17;
        *random ^= *random << 5;
        // The sum of four numbers is nearly normal: a standard deviation of 5.
        random.to_le_bytes().iter().map(|byte| f64::from(*byte) - 127.5).sum::<f64>() / 30.0
    };
    let mut pixels = Vec::with_capacity((WIDTH * HEIGHT) as usize);
    for y in 0..HEIGHT as i32 {
        for x in 0..WIDTH as i32 {
            let inside = |object: &&[i32; 5]| {
                let [left, top, width, height, _] = **object;
                (left..left + width).contains(&x) && (top..top + height).contains(&y)
            };
            let luma = match objects.iter().find(inside) {
                Some([.., luma]) => *luma,
                None if (80..200).contains(&x) && (60..220).contains(&y) => 160,
                None => 70 + x / 12 + (x / 20 + y / 20) % 2 * 15,
            };
            pixels.push((light * f64::from(luma) + noise()).clamp(0.0, 255.0) as u8);
        }
    }
    let size = Dimensions { width: WIDTH, height: HEIGHT };
    let mut picture = Picture::black(size, Format::Luma).unwrap();
    picture.write(Area { left: 0, top: 0, size }, &pixels).unwrap();
    picture.encode(85).unwrap().bytes.to_vec()
}
