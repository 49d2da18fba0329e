//! The pictures of a camera in the store: one key for each, numbered, and one with the range of numbers.
//!
//! The store holds 8 MiB, so pictures are small, and the oldest make room for new ones.

use crate::bindings::hotshoe::camera::cameras::Frame;
use crate::bindings::hotshoe::camera::frames::Dimensions;
use crate::bindings::hotshoe::camera::pixels::{Format, Scale, decode};
use crate::bindings::wasi::keyvalue::store::{Bucket, open};

/// The most bytes of all films. Leaves a quarter of the store to others.
const MAX_BYTES: usize = 6 << 20;

/// The largest width of a picture. Larger ones are made smaller.
const MAX_WIDTH: u32 = 640;

/// The quality of pictures that were made smaller.
const QUALITY: u8 = 75;

/// A picture of the film.
pub struct Kept {
    /// The time of capture, in seconds since 1970.
    pub seconds: u64,
    pub width: u32,
    pub height: u32,
    pub jpeg: Vec<u8>,
}

pub struct Film {
    bucket: Bucket,
    camera: String,
    /// The most bytes of this film.
    limit: usize,
    /// The numbers and lengths of the pictures.
    first: u64,
    lengths: Vec<usize>,
}

impl Film {
    /// Opens the film of a camera, one of `cameras` that share the space.
    pub fn of(camera: &str, cameras: usize) -> Result<Self, String> {
        let bucket = open("timelapse").map_err(|error| error.to_string())?;
        let range = bucket.get(&format!("{camera}/range")).map_err(|error| error.to_string())?.unwrap_or_default();
        let range = String::from_utf8_lossy(&range).into_owned();
        let mut numbers = range.split(' ').map_while(|number| number.parse().ok());
        let first = numbers.next().unwrap_or_default();
        let lengths = numbers.map(|length| length as usize).collect();
        Ok(Self { bucket, camera: camera.to_owned(), limit: MAX_BYTES / cameras.max(1), first, lengths })
    }

    fn len(&self) -> u64 {
        self.lengths.len() as u64
    }

    /// The numbers of the pictures, oldest first.
    pub fn numbers(&self) -> std::ops::Range<u64> {
        self.first..self.first + self.len()
    }

    /// Returns a picture if it is still in the store.
    pub fn get(&self, number: u64) -> Option<Kept> {
        parse(&self.bucket.get(&self.key(number)).ok()??)
    }

    /// Adds a frame, and removes the oldest pictures if there are too many.
    pub fn add(&mut self, frame: &Frame) -> Result<(), String> {
        let Dimensions { width, .. } = frame.image.info().dimensions;
        let scale = [(1, Scale::Full), (2, Scale::Half), (4, Scale::Quarter), (8, Scale::Eighth)];
        let (_, scale) = scale.into_iter().find(|(by, _)| width.div_ceil(*by) <= MAX_WIDTH).unwrap_or(scale[3]);
        let smaller = match scale {
            Scale::Full => None,
            _ => {
                let picture = decode(&frame.image, scale, Format::Yuv).map_err(|error| error.to_string())?;
                Some(picture.encode(QUALITY).map_err(|error| error.to_string())?)
            }
        };
        let image = smaller.as_ref().unwrap_or(&frame.image);
        let Dimensions { width, height } = image.info().dimensions;
        let jpeg = image.read();
        let head = format!("{} {width} {height}\n", frame.wall_time.seconds);
        let value = [head.as_bytes(), &jpeg].concat();
        let mut removed = Vec::new();
        while !self.lengths.is_empty() && self.lengths.iter().sum::<usize>() + value.len() > self.limit {
            removed.push(self.key(self.first));
            self.first += 1;
            self.lengths.remove(0);
        }
        let key = self.key(self.first + self.len());
        self.lengths.push(value.len());
        let numbers: Vec<_> = self.lengths.iter().map(usize::to_string).collect();
        let range = format!("{} {}", self.first, numbers.join(" "));
        // The range comes first, so that no picture is forgotten if the worker ends here.
        let write = || {
            self.bucket.set(&format!("{}/range", self.camera), range.as_bytes())?;
            removed.iter().try_for_each(|key| self.bucket.delete(key))?;
            self.bucket.set(&key, &value)
        };
        write().map_err(|error| error.to_string())
    }

    fn key(&self, number: u64) -> String {
        format!("{}/{number}", self.camera)
    }
}

/// Takes a value of the store apart.
fn parse(value: &[u8]) -> Option<Kept> {
    let end = value.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(&value[..end]).ok()?;
    let mut numbers = head.split(' ').map_while(|number| number.parse::<u64>().ok());
    let (seconds, width, height) = (numbers.next()?, numbers.next()?, numbers.next()?);
    Some(Kept { seconds, width: width as u32, height: height as u32, jpeg: value[end + 1..].to_vec() })
}
