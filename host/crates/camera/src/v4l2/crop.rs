//! Crops pictures: by the device if it can, or else when raw images are copied out of its buffers.

use std::fmt;
use std::path::Path;

use tracing::{info, warn};

use super::device::{Device, System};
use super::errors::device_error;
use super::negotiate::RequestedMode;
use crate::dimensions::Dimensions;
use crate::error::SourceError;
use crate::rectangle::Rectangle;

/// A crop, and who does it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Crop {
    pub(super) area: Rectangle,
    pub(super) by: CroppedBy,
}

/// Who crops.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CroppedBy {
    /// The device. The area is a part of what its sensor or its signal provides.
    Device,
    /// This program. The area is a part of the raw pictures.
    Server,
}

/// Formats as `crop=640x480+320+120 by the device`.
impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            CroppedBy::Device => "the device",
            CroppedBy::Server => "the server",
        };
        write!(f, "crop={} by {by}", self.area)
    }
}

/// Makes the device crop its pictures if it can. Adapts the mode to be requested: pictures are as large as the area
/// unless it says otherwise, and raw if the device cannot crop.
///
/// Call it before the format is negotiated, which depends on the crop.
pub(super) fn prepare(
    system: &dyn System,
    device: &dyn Device,
    path: &Path,
    area: Rectangle,
    requested: &mut RequestedMode,
) -> Result<CroppedBy, SourceError> {
    let can_crop = device.set_crop(&area).map_err(|error| device_error(system, path, "crop its pictures", error))?;
    if can_crop {
        requested.size.get_or_insert(area.size);
        return Ok(CroppedBy::Device);
    }
    requested.must_be_raw = true;
    Ok(CroppedBy::Server)
}

/// Returns the area to which pictures are cropped, now that the device delivers those of `size`.
///
/// # Errors
///
/// [`SourceError::CropOutside`] if the area is not within a picture that this program has to crop.
pub(super) fn settle(
    device: &dyn Device,
    path: &Path,
    area: Rectangle,
    by: CroppedBy,
    size: Dimensions,
) -> Result<Crop, SourceError> {
    let area = match by {
        // Setting the format may have changed it.
        CroppedBy::Device => device.crop().unwrap_or(area),
        CroppedBy::Server if !area.fits_into(size) => {
            return Err(SourceError::CropOutside { path: path.to_owned(), crop: area, size });
        }
        // Chroma belongs to pairs of pixels and rows.
        CroppedBy::Server => Rectangle { left: area.left & !1, top: area.top & !1, ..area },
    };
    Ok(Crop { area, by })
}

/// Logs who crops, and where the area differs from the requested one.
pub(super) fn log(path: &Path, requested: Rectangle, crop: &Crop) {
    let path = path.display();
    info!("{path}: {crop}");
    if crop.area != requested {
        warn!("{path}: requested crop={requested}, got {}", crop.area);
    }
}
