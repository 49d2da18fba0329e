//! The pictures that one instance holds.

use super::error::PixelsError;
use super::held::HeldPicture;
use super::pictures::Pixels;
use crate::camera::pixels::{Area, Format, Scale};
use crate::camera::{Dimensions, JpegImage};

/// The most pictures that one instance may hold for each request that it handles at the same time. Enough to compare
/// some successive frames.
const MAX_PICTURES: u32 = 8;

/// The most bytes that the pictures of one instance may have: more than one of the largest size, and a quarter of what
/// all instances may have together.
const MAX_BYTES: usize = 64 << 20;

/// What one instance holds, and may hold.
pub struct InstancePixels {
    pixels: Pixels,
    count: u32,
    bytes: usize,
}

impl InstancePixels {
    /// Lets an instance use these pixels.
    pub(in crate::sandbox) fn new(pixels: Pixels) -> Self {
        Self { pixels, count: 0, bytes: 0 }
    }

    /// Decodes an image. `requests` is how many requests the instance may handle at the same time.
    pub async fn decode(
        &mut self,
        image: &JpegImage,
        scale: Scale,
        format: Format,
        requests: u32,
    ) -> Result<HeldPicture, PixelsError> {
        self.check_count(requests)?;
        let picture = self.pixels.decode(image, scale, format).await?;
        self.hold(picture)
    }

    /// Makes a black picture.
    pub fn create(&mut self, size: Dimensions, format: Format, requests: u32) -> Result<HeldPicture, PixelsError> {
        self.check_count(requests)?;
        let picture = self.pixels.create(size, format)?;
        self.hold(picture)
    }

    /// Replaces the pixels of an area.
    pub fn write(&self, picture: &mut HeldPicture, area: Area, bytes: &[u8]) -> Result<(), PixelsError> {
        picture.picture().check_area(area, bytes.len())?;
        self.pixels.make_own(picture)?;
        picture.write(area, bytes)
    }

    /// Encodes a picture.
    pub async fn encode(&self, picture: HeldPicture, quality: u8) -> Result<JpegImage, PixelsError> {
        self.pixels.encode(picture, quality).await
    }

    /// Makes an image from bytes.
    pub async fn adopt(&self, bytes: Vec<u8>) -> Result<JpegImage, PixelsError> {
        self.pixels.adopt(bytes).await
    }

    /// The instance no longer holds this picture.
    pub fn release(&mut self, picture: &HeldPicture) {
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(picture.picture().pixels().len());
    }

    fn check_count(&self, requests: u32) -> Result<(), PixelsError> {
        let limit = MAX_PICTURES.saturating_mul(requests);
        if self.count < limit { Ok(()) } else { Err(PixelsError::TooMany(limit)) }
    }

    fn hold(&mut self, picture: HeldPicture) -> Result<HeldPicture, PixelsError> {
        let bytes = self.bytes + picture.picture().pixels().len();
        if bytes > MAX_BYTES {
            return Err(PixelsError::Memory);
        }
        self.count += 1;
        self.bytes = bytes;
        Ok(picture)
    }
}
