//! Decodes an image at 1/8 from its DC coefficients.

use super::format::{Format, rgb};
use super::picture::Picture;
use super::scale::Scale;
use crate::jpeg::{Component, ImageInfo, JpegError, ScanChecker};

/// The means of a component's blocks, in the order of the scan.
struct Blocks {
    means: Vec<u8>,
    /// The quantization step of the DC coefficient.
    step: i32,
    /// The blocks of an MCU in each direction.
    across: usize,
    down: usize,
}

impl Blocks {
    fn push(&mut self, dc: i32) {
        // The DC coefficient is eight times the mean, from which 128 was subtracted (A.3.1, A.3.3).
        let mean = (dc.saturating_mul(self.step).saturating_add(4) >> 3).saturating_add(128);
        self.means.push(mean.clamp(0, 255) as u8);
    }

    /// The mean of the block at this position in the component. `mcus` is the number of MCUs in a row.
    fn at(&self, x: usize, y: usize, mcus: usize) -> u8 {
        let mcu = y / self.down * mcus + x / self.across;
        let block = y % self.down * self.across + x % self.across;
        // The walk has passed every block of the picture.
        self.means.get(mcu * self.across * self.down + block).copied().unwrap_or_default()
    }
}

/// Decodes an image whose size is within the limits, which is single-scan, and whose components are luma, or luma, Cb
/// and Cr.
pub(super) fn decode(
    checker: &mut ScanChecker,
    bytes: &[u8],
    info: &ImageInfo,
    format: Format,
) -> Result<Picture, JpegError> {
    let all: Vec<Component> = info.headers.components.into_iter().flatten().collect();
    // With a single component, an MCU is one block (A.2.2).
    let is_single = all.len() == 1;
    let factors = |component: &Component| {
        if is_single { (1, 1) } else { (usize::from(component.horizontal), usize::from(component.vertical)) }
    };
    let (max_across, max_down) = all.iter().map(factors).fold((1, 1), |max, (across, down)| {
        let (max_across, max_down): (usize, usize) = max;
        (max_across.max(across), max_down.max(down))
    });
    let size = Scale::Eighth.apply(info.dimensions);
    let (width, height) = (size.width as usize, size.height as usize);
    let (mcus, mcu_rows) = (width.div_ceil(max_across), height.div_ceil(max_down));
    let mut components: Vec<Blocks> = all
        .iter()
        .map(|component| {
            let (across, down) = factors(component);
            let means = Vec::with_capacity(mcus * mcu_rows * across * down);
            Blocks { means, step: i32::from(component.dc_step), across, down }
        })
        .collect();
    // Without a quantization table, there is no step.
    if components.iter().any(|component| component.step == 0) {
        return Err(JpegError::InvalidHeaders);
    }
    checker.walk(bytes, info, |number, dc| {
        if let Some(component) = components.get_mut(number) {
            component.push(dc);
        }
    })?;

    let mut pixels = Vec::with_capacity(width * height * format.bytes());
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let mean =
            |component: &Blocks| component.at(x * component.across / max_across, y * component.down / max_down, mcus);
        match (format, components.as_slice()) {
            (Format::Luma, [luma, ..]) => pixels.push(mean(luma)),
            (Format::Rgb, [luma, blue, red]) => pixels.extend(rgb([mean(luma), mean(blue), mean(red)])),
            (Format::Yuv, [luma, blue, red]) => pixels.extend([mean(luma), mean(blue), mean(red)]),
            (Format::Rgb, [luma, ..]) => pixels.extend([mean(luma); 3]),
            (Format::Yuv, [luma, ..]) => pixels.extend([mean(luma), 128, 128]),
            (_, []) => return Err(JpegError::InvalidHeaders),
        }
    }
    Ok(Picture::from_pixels(size, format, pixels))
}
