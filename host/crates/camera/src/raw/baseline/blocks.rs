//! The samples that the encoder reads.

use wide::i16x8;

/// Eight rows of eight samples from 0 to 255.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::raw) struct Block(pub(in crate::raw) [i16x8; 8]);

/// A minimum coded unit: 16 by 16 pixels.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::raw) struct Mcu {
    /// The upper left, upper right, lower left and lower right block.
    pub(in crate::raw) luma: [Block; 4],
    pub(in crate::raw) blue: Block,
    pub(in crate::raw) red: Block,
}
