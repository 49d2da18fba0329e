//! Converts a raw frame to the blocks that the JPEG encoder reads.

use super::baseline::{Block, Mcu};
use super::conversion::{chroma_of, luma_of};
use super::format::PixelFormat;
use super::layout::{Layout, Plane};
use super::samples::{halves, numbers, pairs, thirds};
use wide::{i16x8, u8x16};

/// The width and the height of an MCU in pixels.
pub(super) const MCU_SIDE: usize = 16;

/// The width and the height of a block in pixels.
pub(super) const BLOCK_SIDE: usize = 8;

/// A raw frame in rows of MCUs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mcus<'a> {
    raw: &'a [u8],
    format: PixelFormat,
    planes: [Plane; 3],
    width: usize,
    height: usize,
}

/// A row of MCUs of 16 by 16 pixels, or of grey blocks of 8 by 8.
///
/// If the frame ends within an MCU, the last pixel of each row and the last row are repeated.
#[derive(Clone, Copy, Debug)]
pub(super) struct McuRow<'a> {
    format: PixelFormat,
    width: usize,
    /// For each row of pixels, the row of each plane that belongs to it.
    planes: [[&'a [u8]; MCU_SIDE]; 3],
}

/// Two rows of an MCU: the left and the right half of each row of luma, and the chroma that belongs to both rows.
struct RowPair {
    luma: [[i16x8; 2]; 2],
    chroma: [i16x8; 2],
}

impl<'a> Mcus<'a> {
    pub(super) fn new(raw: &'a [u8], layout: &Layout) -> Self {
        let [width, height] =
            [layout.dimensions.width, layout.dimensions.height].map(|side| usize::try_from(side).unwrap_or(usize::MAX));
        Self { raw, format: layout.format, planes: layout.planes(), width, height }
    }

    /// Returns the MCUs or blocks whose first row of pixels is `y`.
    pub(super) fn row(&self, y: usize) -> McuRow<'a> {
        let last = self.height.saturating_sub(1);
        let rows = |plane: Plane, row: &dyn Fn(usize) -> usize| -> [&'a [u8]; MCU_SIDE] {
            std::array::from_fn(|line| plane.row(self.raw, row((y + line).min(last))))
        };
        let chroma_row = |y| self.format.chroma_row(y);
        let [first, second, third] = self.planes;
        let planes = [rows(first, &|y| y), rows(second, &chroma_row), rows(third, &chroma_row)];
        McuRow { format: self.format, width: self.width, planes }
    }
}

impl McuRow<'_> {
    /// Returns a block of a grey picture.
    pub(super) fn grey(&self, column: usize) -> Block {
        let mut block = Block::default();
        let [rows, ..] = &self.planes;
        for (row, samples) in rows.iter().zip(&mut block.0) {
            *samples = i16x8::new(piece::<8, 1>(row, column).map(i16::from));
        }
        block
    }

    /// Returns an MCU of a picture with colour.
    pub(super) fn mcu(&self, column: usize) -> Mcu {
        match self.format {
            PixelFormat::Yuyv => self.packed(column, |[luma, chroma]| (luma, chroma)),
            PixelFormat::Uyvy => self.packed(column, |[chroma, luma]| (luma, chroma)),
            PixelFormat::Yvyu => swapped(self.packed(column, |[luma, chroma]| (luma, chroma))),
            PixelFormat::Vyuy => swapped(self.packed(column, |[chroma, luma]| (luma, chroma))),
            PixelFormat::Nv12 | PixelFormat::Nv16 => self.semi_planar(column),
            PixelFormat::Nv21 | PixelFormat::Nv61 => swapped(self.semi_planar(column)),
            PixelFormat::Yu12 | PixelFormat::Yuv422p | PixelFormat::Grey => self.planar(column),
            PixelFormat::Yv12 => swapped(self.planar(column)),
            PixelFormat::Yuv24 => self.yuv(column),
            PixelFormat::Rgb24 => self.rgb_24(column, |rgb| rgb),
            PixelFormat::Bgr24 => self.rgb_24(column, |[b, g, r]| [r, g, b]),
            PixelFormat::Rgb32 | PixelFormat::Xrgb32 | PixelFormat::Argb32 => {
                self.rgb_32(column, |[_, r, g, b]| [r, g, b])
            }
            PixelFormat::Bgr32 | PixelFormat::Xbgr32 | PixelFormat::Abgr32 => {
                self.rgb_32(column, |[b, g, r, _]| [r, g, b])
            }
            PixelFormat::Rgbx32 | PixelFormat::Rgba32 => self.rgb_32(column, |[r, g, b, _]| [r, g, b]),
            PixelFormat::Bgrx32 | PixelFormat::Bgra32 => self.rgb_32(column, |[_, b, g, r]| [r, g, b]),
        }
    }

    /// A format with two pixels in four bytes. `order` says whether luma or chroma comes first.
    #[inline(always)]
    fn packed(&self, column: usize, order: impl Fn([u8x16; 2]) -> (u8x16, u8x16)) -> Mcu {
        let last = self.width.saturating_sub(column * MCU_SIDE).saturating_sub(1);
        self.assemble(|[rows, ..]| {
            let rows = rows.map(|row| order(halves(vectors(&piece::<32, 4>(row, column)))));
            let luma = rows.map(|(luma, _)| if last < MCU_SIDE { repeated_from(luma, last) } else { luma });
            RowPair { luma: luma.map(numbers), chroma: means(rows.map(|(_, chroma)| pairs(chroma))) }
        })
    }

    /// A format with a plane of chroma pairs.
    #[inline(always)]
    fn semi_planar(&self, column: usize) -> Mcu {
        self.assemble(|[luma, chroma, _]| RowPair {
            luma: luma.map(|row| luma_piece(row, column)),
            chroma: means(chroma.map(|row| pairs(u8x16::new(piece::<16, 2>(row, column))))),
        })
    }

    /// A format with two planes of chroma.
    #[inline(always)]
    fn planar(&self, column: usize) -> Mcu {
        let chroma = |row: &[u8]| i16x8::new(piece::<8, 1>(row, column).map(i16::from));
        self.assemble(|[luma, [upper_blue, lower_blue], [upper_red, lower_red]]| RowPair {
            luma: luma.map(|row| luma_piece(row, column)),
            chroma: means([[upper_blue, upper_red], [lower_blue, lower_red]].map(|row| row.map(chroma))),
        })
    }

    /// A format with the bytes Y Cb Cr.
    #[inline(always)]
    fn yuv(&self, column: usize) -> Mcu {
        self.assemble(|[rows, ..]| {
            let rows = rows.map(|row| thirds(vectors(&piece::<48, 3>(row, column))));
            let chroma = [rows.map(|[_, blue, _]| blue), rows.map(|[.., red]| red)];
            RowPair { luma: rows.map(|[luma, ..]| numbers(luma)), chroma: chroma.map(|rows| (sum(rows) + 2) >> 2_u32) }
        })
    }

    /// A format with three bytes per pixel. `order` rearranges them to R G B.
    #[inline(always)]
    fn rgb_24(&self, column: usize, order: impl Fn([u8x16; 3]) -> [u8x16; 3]) -> Mcu {
        self.assemble(|[rows, ..]| rgb(rows.map(|row| order(thirds(vectors(&piece::<48, 3>(row, column)))))))
    }

    /// A format with four bytes per pixel. `order` rearranges them to R G B.
    #[inline(always)]
    fn rgb_32(&self, column: usize, order: impl Fn([u8x16; 4]) -> [u8x16; 3]) -> Mcu {
        self.assemble(|[rows, ..]| {
            rgb(rows.map(|row| {
                let [a, b, c, d] = vectors(&piece::<64, 4>(row, column));
                let [[even, odd], [other_even, other_odd]] = [halves([a, b]), halves([c, d])];
                let [[first, third], [second, fourth]] = [halves([even, other_even]), halves([odd, other_odd])];
                order([first, second, third, fourth])
            }))
        })
    }

    /// Returns an MCU from pairs of rows of each plane.
    #[inline(always)]
    fn assemble(&self, pair: impl Fn([[&[u8]; 2]; 3]) -> RowPair) -> Mcu {
        let mut mcu = Mcu::default();
        let [upper_left, upper_right, lower_left, lower_right] = &mut mcu.luma;
        let left = upper_left.0.as_chunks_mut::<2>().0.iter_mut().chain(lower_left.0.as_chunks_mut::<2>().0);
        let right = upper_right.0.as_chunks_mut::<2>().0.iter_mut().chain(lower_right.0.as_chunks_mut::<2>().0);
        let chroma = mcu.blue.0.iter_mut().zip(&mut mcu.red.0);
        let [first, second, third] = self.planes.each_ref().map(|rows| rows.as_chunks::<2>().0);
        let rows = first.iter().zip(second).zip(third);
        for ((((&first, &second), &third), (left, right)), (blue, red)) in rows.zip(left.zip(right)).zip(chroma) {
            let rows = pair([first, second, third]);
            *left = rows.luma.map(|[left, _]| left);
            *right = rows.luma.map(|[_, right]| right);
            [*blue, *red] = rows.chroma;
        }
        mcu
    }
}

/// Returns piece `column` of a row of luma.
#[inline(always)]
fn luma_piece(row: &[u8], column: usize) -> [i16x8; 2] {
    numbers(u8x16::new(piece::<16, 1>(row, column)))
}

/// Converts two rows of red, green and blue.
#[inline(always)]
fn rgb(rows: [[u8x16; 3]; 2]) -> RowPair {
    let luma = rows.map(|row| {
        let [[red, red_right], [green, green_right], [blue, blue_right]] = row.map(numbers);
        [luma_of([red, green, blue]), luma_of([red_right, green_right, blue_right])]
    });
    let [[upper_red, upper_green, upper_blue], [lower_red, lower_green, lower_blue]] = rows;
    let sums = [[upper_red, lower_red], [upper_green, lower_green], [upper_blue, lower_blue]].map(sum);
    RowPair { luma, chroma: chroma_of(sums) }
}

/// Exchanges the two components of chroma.
#[inline(always)]
fn swapped(mcu: Mcu) -> Mcu {
    Mcu { blue: mcu.red, red: mcu.blue, ..mcu }
}

/// Returns the means of two rows of Cb and Cr.
#[inline(always)]
fn means([[upper_blue, upper_red], [lower_blue, lower_red]]: [[i16x8; 2]; 2]) -> [i16x8; 2] {
    [upper_blue + lower_blue, upper_red + lower_red].map(|sum| sum >> 1_u32)
}

/// Returns the sums of blocks of two by two samples, from two rows.
#[inline(always)]
fn sum([upper, lower]: [u8x16; 2]) -> i16x8 {
    let [[upper_even, upper_odd], [lower_even, lower_odd]] = [pairs(upper), pairs(lower)];
    upper_even + upper_odd + lower_even + lower_odd
}

/// Returns piece `index` of a row. If the row ends within the piece, its last `UNIT` bytes are repeated.
#[inline(always)]
fn piece<const LENGTH: usize, const UNIT: usize>(row: &[u8], index: usize) -> [u8; LENGTH] {
    let rest = row.get(index * LENGTH..).unwrap_or_default();
    rest.first_chunk().copied().unwrap_or_else(|| partial::<LENGTH, UNIT>(rest))
}

#[cold]
fn partial<const LENGTH: usize, const UNIT: usize>(rest: &[u8]) -> [u8; LENGTH] {
    let last = rest.last_chunk::<UNIT>().copied().unwrap_or([0; UNIT]);
    let mut bytes = rest.iter().copied().chain(last.into_iter().cycle());
    std::array::from_fn(|_| bytes.next().unwrap_or_default())
}

/// Splits a piece. The lengths must match.
#[inline(always)]
fn vectors<const COUNT: usize>(piece: &[u8]) -> [u8x16; COUNT] {
    piece.as_chunks().0.first_chunk().copied().unwrap_or([[0; 16]; COUNT]).map(u8x16::new)
}

/// Repeats the sample at this index to the end.
#[cold]
fn repeated_from(samples: u8x16, index: usize) -> u8x16 {
    let mut samples = samples.to_array();
    if let Some([first, rest @ ..]) = samples.get_mut(index..) {
        rest.fill(*first);
    }
    u8x16::new(samples)
}
