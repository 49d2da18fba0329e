//! Decodes, encodes and adopts images.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;

use super::error::PixelsError;
use super::held::HeldPicture;
use super::memory::{self, Memory};
use super::shared::{CountedPicture, SharedPictures};
use super::workers::Workers;
use crate::camera::pixels::{DecodeError, Decoder, Format, Picture, Scale};
use crate::camera::{Dimensions, JpegImage, jpeg};

/// Decodes and encodes pictures for all instances. Clones share everything.
#[derive(Clone, Default)]
pub(in crate::sandbox) struct Pixels {
    workers: Arc<Workers>,
    pub(super) shared: Arc<SharedPictures>,
    pub(super) memory: Arc<Memory>,
}

impl Pixels {
    /// Sets the runtime whose pool of threads does the work. Until then, everything fails but black pictures.
    pub(in crate::sandbox) fn run_on(&self, runtime: Handle) {
        self.workers.run_on(runtime);
    }

    /// Decodes an image, or returns the picture that another instance holds.
    pub(super) async fn decode(
        &self,
        image: &JpegImage,
        scale: Scale,
        format: Format,
    ) -> Result<HeldPicture, PixelsError> {
        // Before anything is remembered of an image that cannot be decoded.
        let needed = Decoder::memory_needed(image, scale, format)?;
        let shared = self.shared.get(image, scale, format);
        let decode = || async {
            let turn = self.workers.turn().await?;
            // The work keeps the memory, even if the instance no longer waits.
            let mut memory = self.memory.reserve(needed)?;
            let image = shared.image.clone();
            let decode = move |decoder: &mut Decoder| {
                let picture = decoder.decode(&image, scale, format)?;
                memory::keep(&mut memory, picture.pixels().len());
                Ok::<_, DecodeError>(CountedPicture { picture: Arc::new(picture), _memory: memory })
            };
            self.workers.run(turn, decode).await
        };
        let picture = match shared.result.get_or_try_init(decode).await? {
            Ok(counted) => counted.picture.clone(),
            Err(error) => return Err(error.clone().into()),
        };
        Ok(HeldPicture::shared(picture, shared))
    }

    /// Makes a black picture.
    pub(super) fn create(&self, size: Dimensions, format: Format) -> Result<HeldPicture, PixelsError> {
        Picture::check_size(size)?;
        let memory = self.memory.reserve(picture_length(size, format))?;
        Ok(HeldPicture::own(Picture::black(size, format)?, memory))
    }

    /// Replaces a picture that is shared by a copy.
    pub(super) fn make_own(&self, picture: &mut HeldPicture) -> Result<(), PixelsError> {
        if picture.is_shared() {
            let memory = self.memory.reserve(picture.picture().pixels().len())?;
            *picture = HeldPicture::own(picture.picture().clone(), memory);
        }
        Ok(())
    }

    /// Encodes a picture.
    pub(super) async fn encode(&self, picture: HeldPicture, quality: u8) -> Result<JpegImage, PixelsError> {
        let turn = self.workers.turn().await?;
        // At the best quality, an image of noise is about as long as its pixels, and the encoder copies it once.
        let needed = self.memory.reserve(2 * picture.picture().pixels().len())?;
        let memory = self.memory.clone();
        let encode = move |_: &mut Decoder| {
            let _needed = needed;
            memory.count(picture.picture().encode(quality)?)
        };
        self.workers.run(turn, encode).await?
    }

    /// Makes an image from bytes.
    pub(super) async fn adopt(&self, bytes: Vec<u8>) -> Result<JpegImage, PixelsError> {
        let given = self.memory.reserve(bytes.len())?;
        let turn = self.workers.turn().await?;
        let memory = self.memory.clone();
        let adopt = move |_: &mut Decoder| {
            let _given = given;
            let image = JpegImage::new(Bytes::from(bytes))?;
            let info = jpeg::validate(&image.bytes, jpeg::Options::default())?;
            jpeg::check_scan(&image.bytes, &info)?;
            memory.count(image)
        };
        self.workers.run(turn, adopt).await?
    }
}

/// The bytes of a picture whose size is within the limits.
fn picture_length(size: Dimensions, format: Format) -> usize {
    size.pixels() * format.bytes()
}
