//! The structure that an ioctl takes, as bytes with named fields.

/// The offset of a field of a structure, or of a field of a structure in it.
macro_rules! field {
    ($type:ty, $field:ident) => {
        std::mem::offset_of!($type, $field)
    };
    ($type:ty, $field:ident, $inner:ty, $inner_field:ident) => {
        std::mem::offset_of!($type, $field) + std::mem::offset_of!($inner, $inner_field)
    };
}
pub(crate) use field;

/// The argument of an ioctl. Fields are addressed by their offsets, so that structures with unions need no unsafe code.
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

    /// A field of the C type `long`, such as those of `timeval`.
    pub(crate) fn set_long(&mut self, offset: usize, value: i64) {
        let bytes = (value as isize).to_ne_bytes();
        self.0[offset..offset + bytes.len()].copy_from_slice(&bytes);
    }

    /// A text in a field of `room` bytes, cut to fit and ended by a zero.
    pub(crate) fn set_text(&mut self, offset: usize, room: usize, text: &str) {
        let field = &mut self.0[offset..offset + room];
        field.fill(0);
        let length = text.len().min(room - 1);
        field[..length].copy_from_slice(&text.as_bytes()[..length]);
    }

    /// Sets all bytes from here on to zero.
    pub(crate) fn clear_from(&mut self, offset: usize) {
        self.0[offset..].fill(0);
    }
}
