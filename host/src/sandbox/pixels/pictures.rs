//! Decodes, encodes and adopts images.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;

use super::error::PixelsError;
use super::held::HeldPicture;
use super::memory::Memory;
use super::shared::SharedPictures;
use super::workers::Workers;
use crate::camera::pixels::{Decoder, Format, Picture, Scale};
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
        Decoder::check_size(image)?;
        let length = picture_length(scale.apply(image.dimensions), format);
        let shared = self.shared.get(image, scale, format, || self.memory.reserve(length))?;
        let decode = || async {
            let image = shared.image.clone();
            self.workers.run(move |decoder| decoder.decode(&image, scale, format).map(Arc::new)).await
        };
        let picture = shared.result.get_or_try_init(decode).await?.clone()?;
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
        let encoded = self.workers.run(move |_| picture.picture().encode(quality)).await??;
        self.memory.count(encoded)
    }

    /// Makes an image of bytes.
    pub(super) async fn adopt(&self, bytes: Vec<u8>) -> Result<JpegImage, PixelsError> {
        let adopted = self.workers.run(move |_| {
            let image = JpegImage::new(Bytes::from(bytes))?;
            let info = jpeg::validate(&image.bytes, jpeg::Options::default())?;
            jpeg::check_scan(&image.bytes, &info)?;
            Ok::<_, jpeg::JpegError>(image)
        });
        self.memory.count(adopted.await??)
    }
}

/// The bytes of a picture whose size is within the limits.
fn picture_length(size: Dimensions, format: Format) -> usize {
    size.width as usize * size.height as usize * format.bytes()
}
