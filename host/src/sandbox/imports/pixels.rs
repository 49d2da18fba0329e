//! The host side of `hotshoe:camera/pixels`.

use wasmtime::Result;
use wasmtime::component::Resource;

use super::bindings::hotshoe::camera::cameras::ErrorCode as CameraError;
use super::bindings::hotshoe::camera::frames::Dimensions as WitDimensions;
use super::bindings::hotshoe::camera::pixels as wit;
use super::frames::dimensions;
use crate::camera::pixels::{Area, DecodeError, Format, MAX_PIXELS, PictureError, Scale};
use crate::camera::raw::EncodeError;
use crate::camera::{Dimensions, JpegImage};
use crate::sandbox::pixels::{HeldPicture, PixelsError};
use crate::sandbox::state::GuestState;

/// What a function returns to the guest. The other errors are traps.
type Output<T> = Result<std::result::Result<T, wit::ErrorCode>>;

impl wit::Host for GuestState {
    async fn decode(
        &mut self,
        image: Resource<JpegImage>,
        scale: wit::Scale,
        format: wit::Format,
    ) -> Output<Resource<HeldPicture>> {
        let image = self.table.get(&image)?.clone();
        let requests = self.max_live_requests;
        let decoded = self.pixels.decode(&image, host_scale(scale), host_format(format), requests).await;
        self.push_picture(decoded)
    }

    async fn adopt(&mut self, bytes: Vec<u8>) -> Output<Resource<JpegImage>> {
        if let Err(error) = self.check_images_held() {
            return Ok(Err(image_error(error)));
        }
        let adopted = self.pixels.adopt(bytes).await;
        self.push_made_image(adopted)
    }
}

impl wit::HostPicture for GuestState {
    fn create(&mut self, size: WitDimensions, format: wit::Format) -> Output<Resource<HeldPicture>> {
        let created = self.pixels.create(host_dimensions(size), host_format(format), self.max_live_requests);
        self.push_picture(created)
    }

    fn info(&mut self, picture: Resource<HeldPicture>) -> Result<wit::PictureInfo> {
        let picture = self.table.get(&picture)?.picture();
        let format = match picture.format() {
            Format::Luma => wit::Format::Luma,
            Format::Rgb => wit::Format::Rgb,
            Format::Yuv => wit::Format::Yuv,
        };
        Ok(wit::PictureInfo { dimensions: dimensions(picture.dimensions()), format })
    }

    fn read(&mut self, picture: Resource<HeldPicture>, area: Option<wit::Area>) -> Output<Vec<u8>> {
        let picture = self.table.get(&picture)?.picture();
        Ok(match area {
            None => Ok(picture.pixels().to_vec()),
            Some(area) => picture.read(host_area(area)).map_err(|error| error_code(error.into())),
        })
    }

    fn write(&mut self, picture: Resource<HeldPicture>, area: wit::Area, pixels: Vec<u8>) -> Output<()> {
        let picture = self.table.get_mut(&picture)?;
        Ok(self.pixels.write(picture, host_area(area), &pixels).map_err(error_code))
    }

    async fn encode(&mut self, picture: Resource<HeldPicture>, quality: u8) -> Output<Resource<JpegImage>> {
        if let Err(error) = self.check_images_held() {
            return Ok(Err(image_error(error)));
        }
        let picture = self.table.get(&picture)?.clone();
        let encoded = self.pixels.encode(picture, quality).await;
        self.push_made_image(encoded)
    }

    fn drop(&mut self, picture: Resource<HeldPicture>) -> Result<()> {
        let picture = self.table.delete(picture)?;
        self.pixels.release(&picture);
        Ok(())
    }
}

impl GuestState {
    fn push_picture(
        &mut self,
        picture: std::result::Result<HeldPicture, PixelsError>,
    ) -> Output<Resource<HeldPicture>> {
        match picture {
            Ok(picture) => Ok(Ok(self.table.push(picture)?)),
            Err(error) => Ok(Err(error_code(error))),
        }
    }

    fn push_made_image(&mut self, image: std::result::Result<JpegImage, PixelsError>) -> Output<Resource<JpegImage>> {
        match image {
            Ok(image) => Ok(Ok(self.push_image(image)?)),
            Err(error) => Ok(Err(error_code(error))),
        }
    }
}

fn host_scale(scale: wit::Scale) -> Scale {
    match scale {
        wit::Scale::Full => Scale::Full,
        wit::Scale::Half => Scale::Half,
        wit::Scale::Quarter => Scale::Quarter,
        wit::Scale::Eighth => Scale::Eighth,
    }
}

fn host_format(format: wit::Format) -> Format {
    match format {
        wit::Format::Luma => Format::Luma,
        wit::Format::Rgb => Format::Rgb,
        wit::Format::Yuv => Format::Yuv,
    }
}

fn host_dimensions(size: WitDimensions) -> Dimensions {
    Dimensions { width: size.width, height: size.height }
}

fn host_area(area: wit::Area) -> Area {
    Area { left: area.left, top: area.top, size: host_dimensions(area.dimensions) }
}

/// Converts the only error of [`GuestState::check_images_held`].
fn image_error(error: CameraError) -> wit::ErrorCode {
    match error {
        CameraError::TooManyImages(limit) => wit::ErrorCode::TooManyImages(limit),
        CameraError::UnknownCamera | CameraError::TooManyFeeds(_) | CameraError::Other(_) => {
            wit::ErrorCode::Other("no image can be held".to_owned())
        }
    }
}

fn error_code(error: PixelsError) -> wit::ErrorCode {
    let text = error.to_string();
    match error {
        PixelsError::Decode(DecodeError::TooLarge { limit, .. }) => wit::ErrorCode::InvalidDimensions(limit),
        PixelsError::Picture(PictureError::Dimensions(_)) => wit::ErrorCode::InvalidDimensions(MAX_PIXELS),
        PixelsError::Decode(_) => wit::ErrorCode::Undecodable(text),
        PixelsError::Adopt(_) => wit::ErrorCode::InvalidImage(text),
        PixelsError::Picture(PictureError::Area(_)) => wit::ErrorCode::InvalidArea,
        PixelsError::Picture(PictureError::Length { needed, .. }) => wit::ErrorCode::InvalidLength(needed as u64),
        PixelsError::Picture(PictureError::Encode(EncodeError::Quality(_))) => wit::ErrorCode::InvalidQuality,
        PixelsError::Picture(PictureError::Encode(EncodeError::Dimensions(_))) => {
            wit::ErrorCode::InvalidDimensions(MAX_PIXELS)
        }
        PixelsError::TooMany(limit) => wit::ErrorCode::TooManyPictures(limit),
        PixelsError::Memory => wit::ErrorCode::OutOfMemory,
        PixelsError::Picture(_) | PixelsError::Failed => wit::ErrorCode::Other(text),
    }
}
