//! Copies raw frames out of the buffers of a driver.

use super::layout::{Layout, Plane};
use crate::dimensions::Dimensions;
use crate::rectangle::Rectangle;

/// The most planes of a format: one of luma and two of chroma.
pub const MAX_PLANES: usize = 3;

/// How a driver arranges a frame: in one buffer, or with a buffer for each plane.
#[derive(Clone, Copy, Debug)]
pub struct BufferLayout {
    layout: Layout,
    /// The planes. Their offsets are those within their buffer.
    planes: [Plane; MAX_PLANES],
    is_separate: bool,
}

/// A buffer is too short for its frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("it has {actual} bytes instead of {needed}")]
pub struct ShortBuffer {
    /// The number of bytes that the frame needs.
    pub needed: usize,
    /// The number of bytes in the buffer.
    pub actual: usize,
}

impl BufferLayout {
    /// A frame whose planes follow each other in the first buffer, as [`Layout`] says.
    pub fn contiguous(layout: Layout) -> Self {
        Self { layout, planes: layout.planes(), is_separate: false }
    }

    /// A frame with a buffer for each plane, whose rows are `strides` bytes apart. [`Layout::stride`] does not apply.
    pub fn separate(layout: Layout, strides: [usize; MAX_PLANES]) -> Self {
        let mut planes = layout.planes();
        for (plane, stride) in planes.iter_mut().zip(strides) {
            *plane = plane.alone(stride);
        }
        Self { layout, planes, is_separate: true }
    }

    /// Checks that the buffers hold a frame.
    ///
    /// # Errors
    ///
    /// The first buffer that is too short.
    pub fn check(&self, buffers: [&[u8]; MAX_PLANES]) -> Result<(), ShortBuffer> {
        if !self.is_separate {
            return check_length(buffers[0], self.layout.frame_length());
        }
        self.planes.iter().zip(buffers).try_for_each(|(plane, buffer)| check_length(buffer, plane.end()))
    }

    /// Copies a frame, or the part of it within `area`. Returns the pixels and their layout.
    ///
    /// `area` must lie within the frame. Its left and its top must be even, because chroma belongs to pairs of pixels.
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check).
    pub fn copy(
        &self,
        buffers: [&[u8]; MAX_PLANES],
        area: Option<Rectangle>,
    ) -> Result<(Vec<u8>, Layout), ShortBuffer> {
        self.check(buffers)?;
        if !self.is_separate && area.is_none() {
            let pixels = buffers[0].get(..self.layout.frame_length()).unwrap_or_default();
            return Ok((pixels.to_vec(), self.layout));
        }
        let area = area.unwrap_or(Rectangle { left: 0, top: 0, size: self.layout.dimensions });
        let copied = self.layout.packed(area.size);
        // What lies above and to the left of the area has the rows and the bytes of a frame of that size.
        let skipped = self.layout.packed(Dimensions { width: area.left, height: area.top });
        let buffers = if self.is_separate { buffers } else { [buffers[0]; MAX_PLANES] };
        let mut pixels = Vec::with_capacity(copied.frame_length());
        for (((plane, buffer), copied), skipped) in
            self.planes.iter().zip(buffers).zip(copied.planes()).zip(skipped.planes())
        {
            for y in 0..copied.rows {
                let row = plane.row(buffer, skipped.rows + y);
                let part = row.get(skipped.row..).and_then(|row| row.get(..copied.row));
                pixels.extend_from_slice(part.unwrap_or_default());
            }
        }
        Ok((pixels, copied))
    }
}

fn check_length(buffer: &[u8], needed: usize) -> Result<(), ShortBuffer> {
    if buffer.len() < needed { Err(ShortBuffer { needed, actual: buffer.len() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::{PixelFormat, Range};

    fn layout(code: &[u8; 4], width: u32, height: u32, stride: usize) -> Layout {
        let format = PixelFormat::from_code(*code).unwrap();
        Layout { format, dimensions: Dimensions { width, height }, stride, range: Range::Full }
    }

    fn area(left: u32, top: u32, width: u32, height: u32) -> Rectangle {
        Rectangle { left, top, size: Dimensions { width, height } }
    }

    /// A plane whose bytes are the number of the plane, the row and the column, in hexadecimal digits.
    fn plane(number: u32, rows: u32, columns: u32, padding: usize) -> Vec<u8> {
        let row = |y| {
            let bytes = (0..columns).map(move |x| ((number << 6) | (y << 3) | x) as u8);
            bytes.chain(std::iter::repeat_n(0xFF, padding))
        };
        (0..rows).flat_map(row).collect()
    }

    #[test]
    fn a_frame_in_one_buffer_is_copied_with_its_padding() {
        let layout = layout(b"NV12", 4, 2, 6);
        let frame: Vec<u8> = (0..20).collect();
        let (pixels, copied) = BufferLayout::contiguous(layout).copy([&frame, &[], &[]], None).unwrap();
        assert_eq!((pixels.as_slice(), copied), (&frame[..18], layout));
    }

    #[test]
    fn separate_planes_are_joined_without_padding() {
        for code in [b"NV12", b"NV16", b"YU12", b"YV12", b"422P"] {
            let layout = layout(code, 4, 4, 0);
            let [luma, second, third] = layout.planes().map(|plane| (plane.rows as u32, plane.row as u32));
            let planes = |padding| [luma, second, third].map(|(rows, row)| plane(rows, rows, row, padding));
            let (padded, plain) = (planes(3), planes(0).concat());
            let strides = [luma, second, third].map(|(_, row)| row as usize + 3);
            let buffers = BufferLayout::separate(layout, strides);
            let (pixels, copied) = buffers.copy(padded.each_ref().map(Vec::as_slice), None).unwrap();
            assert_eq!((pixels, copied), (plain, layout), "{}", code.escape_ascii());
        }
    }

    #[test]
    fn a_buffer_that_is_too_short_is_refused() {
        let layout = layout(b"NV12", 4, 4, 0);
        let short = |buffers: &BufferLayout, lengths: [usize; 3]| {
            let bytes = lengths.map(|length| vec![0; length]);
            buffers.copy(bytes.each_ref().map(Vec::as_slice), None).err()
        };
        let separate = BufferLayout::separate(layout, [4, 4, 0]);
        assert_eq!(short(&separate, [16, 8, 0]), None);
        assert_eq!(short(&separate, [15, 8, 0]), Some(ShortBuffer { needed: 16, actual: 15 }));
        assert_eq!(short(&separate, [16, 7, 0]), Some(ShortBuffer { needed: 8, actual: 7 }));
        let contiguous = BufferLayout::contiguous(layout);
        assert_eq!(short(&contiguous, [23, 8, 0]), Some(ShortBuffer { needed: 24, actual: 23 }));
    }

    #[test]
    fn an_area_is_copied_from_every_plane() {
        let nv12 = layout(b"NV12", 8, 4, 0);
        let frame = [plane(0, 4, 8, 0), plane(1, 2, 8, 0)].concat();
        let (pixels, copied) = BufferLayout::contiguous(nv12).copy([&frame, &[], &[]], Some(area(2, 2, 3, 2))).unwrap();
        assert_eq!(pixels, [0o022, 0o023, 0o024, 0o032, 0o033, 0o034, 0o112, 0o113, 0o114, 0o115]);
        assert_eq!(copied, layout(b"NV12", 3, 2, 0));
        assert_eq!(copied.frame_length(), pixels.len());
        let yuyv = BufferLayout::contiguous(layout(b"YUYV", 4, 2, 0));
        let (pixels, _) = yuyv.copy([&plane(0, 2, 8, 0), &[], &[]], Some(area(2, 0, 2, 1))).unwrap();
        assert_eq!(pixels, [4, 5, 6, 7]);
        let planar = BufferLayout::separate(layout(b"YU12", 8, 4, 0), [8, 4, 4]);
        let planes = [plane(0, 4, 8, 0), plane(1, 2, 4, 0), plane(2, 2, 4, 0)];
        let (pixels, _) = planar.copy(planes.each_ref().map(Vec::as_slice), Some(area(4, 2, 4, 1))).unwrap();
        assert_eq!(pixels, [0o024, 0o025, 0o026, 0o027, 0o112, 0o113, 0o212, 0o213]);
    }
}
