//! The argument of an ioctl, as bytes with named fields.

use v4l2_sys_mit as sys;

/// The only buffer type that the camera supports.
pub(super) const CAPTURE: u32 = sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE;
/// The only type of memory that the camera supports.
pub(super) const MMAP: u32 = sys::v4l2_memory_V4L2_MEMORY_MMAP;

/// The offset of a field in a structure, or of a field in a nested structure.
macro_rules! field_offset {
    ($type:ty, $field:ident) => {
        std::mem::offset_of!($type, $field)
    };
    ($type:ty, $field:ident, $inner:ty, $inner_field:ident) => {
        std::mem::offset_of!($type, $field) + std::mem::offset_of!($inner, $inner_field)
    };
}
pub(crate) use field_offset;

/// The argument of an ioctl. Fields are accessed by their offsets, which needs no unsafe code for unions.
pub(crate) struct Argument<'a>(pub(crate) &'a mut [u8]);

impl Argument<'_> {
    pub(crate) fn u32(&self, offset: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[offset..offset + 4]);
        u32::from_ne_bytes(bytes)
    }

    pub(crate) fn set_u32(&mut self, offset: usize, value: u32) {
        self.0[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
    }

    pub(crate) fn set_i64(&mut self, offset: usize, value: i64) {
        self.0[offset..offset + 8].copy_from_slice(&value.to_ne_bytes());
    }

    /// Sets a field of the C type `long`, such as those of `timeval`.
    pub(crate) fn set_long(&mut self, offset: usize, value: i64) {
        let bytes = (value as isize).to_ne_bytes();
        self.0[offset..offset + bytes.len()].copy_from_slice(&bytes);
    }

    /// Sets a field of `size` bytes to a zero-terminated string, truncated to fit.
    pub(crate) fn set_text(&mut self, offset: usize, size: usize, text: &str) {
        let field = &mut self.0[offset..offset + size];
        field.fill(0);
        let length = text.len().min(size - 1);
        field[..length].copy_from_slice(&text.as_bytes()[..length]);
    }

    /// Sets all bytes from an offset on to zero.
    pub(crate) fn clear_from(&mut self, offset: usize) {
        self.0[offset..].fill(0);
    }
}
