//! Films: pictures in the store of a guest (`wasi:keyvalue`). The oldest make room for new ones.
//!
//! Each picture is a value. Its key says all that is known about the picture, so a list of the keys is enough to plan a
//! response: `00000000000000000042-1700000000-640-480-30123` has the number 42, was captured 1.7 billion seconds after
//! 1970, and has 640x480 pixels and 30123 bytes.

use bindings::wasi::keyvalue::store::{Bucket, Error, open};

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package hotshoe:film;

            world films {
                import wasi:keyvalue/store@0.2.0-draft2;
            }
        ",
        path: "../../../wit/deps/keyvalue-draft2.wit",
        world: "hotshoe:film/films",
        generate_all,
    });
}

/// What is known about a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Picture {
    /// Each picture has a higher number than the one before.
    pub number: u64,
    /// The time of capture, in seconds since 1970.
    pub seconds: u64,
    /// Its width and height in pixels.
    pub size: (u32, u32),
    /// The length of the image in bytes.
    pub length: u64,
}

impl Picture {
    /// Keys are in the order of the numbers.
    fn key(&self) -> String {
        let Self { number, seconds, size: (width, height), length } = self;
        format!("{number:020}-{seconds}-{width}-{height}-{length}")
    }

    fn from_key(key: &str) -> Option<Self> {
        let numbers: Option<Vec<u64>> = key.split('-').map(|number| number.parse().ok()).collect();
        let [number, seconds, width, height, length] = numbers?[..] else { return None };
        Some(Self { number, seconds, size: (width.try_into().ok()?, height.try_into().ok()?), length })
    }
}

/// The pictures of a camera.
pub struct Film {
    bucket: Bucket,
    pictures: Vec<Picture>,
}

impl Film {
    /// Opens the film that a component keeps of a camera. Without pictures, it is empty.
    pub fn open(component: &str, camera: &str) -> Result<Self, Error> {
        let bucket = open(&format!("{component}/{camera}"))?;
        let (mut keys, mut cursor) = (Vec::new(), None);
        loop {
            let page = bucket.list_keys(cursor.as_deref())?;
            keys.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        // A store may list them in any order.
        keys.sort_unstable();
        Ok(Self { bucket, pictures: keys.iter().filter_map(|key| Picture::from_key(key)).collect() })
    }

    /// The pictures, oldest first.
    pub fn pictures(&self) -> &[Picture] {
        &self.pictures
    }

    /// Returns the image of a picture, if it is still in the store.
    pub fn image(&self, picture: &Picture) -> Option<Vec<u8>> {
        self.bucket.get(&picture.key()).ok()?
    }

    /// Adds a picture. Removes the oldest ones, so that all images have at most this many bytes.
    pub fn add(&mut self, seconds: u64, size: (u32, u32), image: &[u8], max: u64) -> Result<(), Error> {
        let number = self.pictures.last().map_or(0, |last| last.number + 1);
        let picture = Picture { number, seconds, size, length: image.len() as u64 };
        let oldest = ..excess(&self.pictures, picture.length, max);
        self.pictures[oldest].iter().try_for_each(|old| self.bucket.delete(&old.key()))?;
        self.pictures.drain(oldest);
        self.bucket.set(&picture.key(), image)?;
        self.pictures.push(picture);
        Ok(())
    }
}

/// How many of the oldest pictures have to go, so that one more of this length fits.
fn excess(pictures: &[Picture], length: u64, max: u64) -> usize {
    let mut total = length + pictures.iter().map(|picture| picture.length).sum::<u64>();
    let is_too_much = |picture: &&Picture| {
        let is_too_much = total > max;
        total -= picture.length;
        is_too_much
    };
    pictures.iter().take_while(is_too_much).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(number: u64, length: u64) -> Picture {
        Picture { number, seconds: 1_700_000_000, size: (640, 480), length }
    }

    #[test]
    fn keys_are_in_the_order_of_the_numbers() {
        let pictures = [0, 9, 10, 99, u64::MAX].map(|number| picture(number, 5));
        let keys = pictures.map(|picture| picture.key());
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(keys.each_ref().map(|key| Picture::from_key(key)), pictures.map(Some));
    }

    #[test]
    fn other_keys_are_no_pictures() {
        for key in ["", "range", "1-2-3-4", "1-2-3-4-5-6", "1-2-x-4-5", "1-2-3-4294967296-5"] {
            assert_eq!(Picture::from_key(key), None, "{key}");
        }
    }

    #[test]
    fn the_oldest_make_room() {
        let pictures = [3, 4, 5].map(|length| picture(length, length));
        for (length, max, expected) in
            [(8, 20, 0), (8, 19, 1), (8, 17, 1), (8, 16, 2), (8, 13, 2), (8, 12, 3), (8, 1, 3)]
        {
            assert_eq!(excess(&pictures, length, max), expected, "{length} of {max}");
        }
        assert_eq!(excess(&[], 2, 1), 0);
    }
}
