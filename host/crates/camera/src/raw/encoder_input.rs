//! Converts a raw frame to the rows of luma and chroma that the JPEG encoder reads.

use super::conversion::{RangeTables, chroma_of, luma_of};
use super::format::{ChromaSubsampling, PixelFormat};
use super::layout::{Layout, Plane};
use jpeg_encoder::{ImageBuffer, JpegColorType};

/// A raw frame as input for the JPEG encoder.
///
/// The encoder reads rows of full width from its [`ImageBuffer`]. For 4:2:0 it uses only the chroma of every second
/// pixel in every second row. So those pixels get the mean of their block, and the others any value.
pub(super) struct EncoderInput<'a> {
    raw: &'a [u8],
    format: PixelFormat,
    planes: [Plane; 3],
    tables: &'a RangeTables,
    width: u16,
    height: u16,
}

impl<'a> EncoderInput<'a> {
    /// Wraps a frame. `width` and `height` must be those of the layout.
    pub(super) fn new(raw: &'a [u8], layout: &Layout, tables: &'a RangeTables, width: u16, height: u16) -> Self {
        Self { raw, format: layout.format, planes: layout.planes(), tables, width, height }
    }

    fn row(&self, plane: usize, y: usize) -> &'a [u8] {
        self.planes.get(plane).map(|plane| plane.row(self.raw, y)).unwrap_or_default()
    }

    /// Reads a row from a plane that contains only luma.
    fn luma_plane(&self, y: usize, luma: &mut Vec<u8>) {
        luma.extend(self.row(0, y).iter().map(|&value| self.tables.luma(value)));
    }

    /// Reads a row of a packed format. `order` rearranges four bytes to Y Y Cb Cr.
    fn packed(&self, y: usize, out: RowBuffers<'_>, order: impl Fn([u8; 4]) -> [u8; 4] + Copy) {
        let quads = |y| self.row(0, y).as_chunks::<4>().0.iter().map(move |&quad| order(quad));
        out.luma.extend(quads(y).flat_map(|[left, right, ..]| [self.tables.luma(left), self.tables.luma(right)]));
        if let Some(chroma) = out.chroma {
            let pairs = |y| quads(y).map(|[.., blue, red]| [blue, red]);
            self.chroma(pairs(chroma.upper), pairs(chroma.lower), chroma);
        }
    }

    /// Reads a row of a format with a plane of chroma pairs. `order` rearranges a pair to Cb Cr.
    fn semi_planar(
        &self,
        y: usize,
        out: RowBuffers<'_>,
        subsampling: ChromaSubsampling,
        order: impl Fn([u8; 2]) -> [u8; 2] + Copy,
    ) {
        self.luma_plane(y, out.luma);
        if let Some(chroma) = out.chroma {
            let pairs =
                |y| self.row(1, subsampling.chroma_row(y)).as_chunks::<2>().0.iter().map(move |&pair| order(pair));
            self.chroma(pairs(chroma.upper), pairs(chroma.lower), chroma);
        }
    }

    /// Reads a row of a format with planes for Cb and Cr, at the given indices.
    fn planar(&self, y: usize, out: RowBuffers<'_>, subsampling: ChromaSubsampling, blue: usize, red: usize) {
        self.luma_plane(y, out.luma);
        if let Some(chroma) = out.chroma {
            let pairs = |y| {
                let [blue, red] = [blue, red].map(|plane| self.row(plane, subsampling.chroma_row(y)).iter().copied());
                blue.zip(red).map(|(blue, red)| [blue, red])
            };
            self.chroma(pairs(chroma.upper), pairs(chroma.lower), chroma);
        }
    }

    /// Appends the mean of two rows of chroma pairs.
    fn chroma<P>(&self, upper: P, lower: P, out: ChromaBuffers<'_>)
    where
        P: Iterator<Item = [u8; 2]> + Clone,
    {
        let level = |upper: u8, lower: u8| self.tables.chroma(upper.midpoint(lower));
        let pairs = upper.zip(lower);
        out.blue.extend(pairs.clone().flat_map(|([upper, _], [lower, _])| [level(upper, lower); 2]));
        out.red.extend(pairs.flat_map(|([_, upper], [_, lower])| [level(upper, lower); 2]));
    }

    /// Reads a row of an RGB format with `N` bytes per pixel. `order` rearranges them to R G B.
    fn rgb<const N: usize>(&self, y: usize, out: RowBuffers<'_>, order: impl Fn([u8; N]) -> [u8; 3] + Copy) {
        let pixels = |y| self.row(0, y).as_chunks::<N>().0;
        out.luma.extend(pixels(y).iter().map(|&pixel| luma_of(order(pixel))));
        if let Some(chroma) = out.chroma {
            let blocks = blocks(pixels(chroma.upper), pixels(chroma.lower), order);
            chroma.extend(blocks.map(chroma_of));
        }
    }

    /// Reads a row of a format with the bytes Y Cb Cr.
    fn yuv(&self, y: usize, out: RowBuffers<'_>) {
        let pixels = |y| self.row(0, y).as_chunks::<3>().0;
        out.luma.extend(pixels(y).iter().map(|&[luma, ..]| self.tables.luma(luma)));
        if let Some(chroma) = out.chroma {
            let mean = |sum: u16| self.tables.chroma(((sum + 2) / 4) as u8);
            let blocks = blocks(pixels(chroma.upper), pixels(chroma.lower), |pixel| pixel);
            chroma.extend(blocks.map(|[_, blue, red]| [mean(blue), mean(red)]));
        }
    }
}

/// Returns the sum of each block of two by two pixels, from two rows. `order` rearranges the bytes of a pixel. If the
/// width is odd, the last pixel of each row counts twice.
fn blocks<'p, const N: usize>(
    upper: &'p [[u8; N]],
    lower: &'p [[u8; N]],
    order: impl Fn([u8; N]) -> [u8; 3] + Copy + 'p,
) -> impl Iterator<Item = [u16; 3]> + 'p {
    let sum = move |pair: &[[u8; N]]| match *pair {
        [left, right] => add(order(left).map(u16::from), order(right).map(u16::from)),
        [single] => order(single).map(|value| u16::from(value) * 2),
        _ => [0; 3],
    };
    upper.chunks(2).zip(lower.chunks(2)).map(move |(upper, lower)| add(sum(upper), sum(lower)))
}

fn add([a, b, c]: [u16; 3], [d, e, f]: [u16; 3]) -> [u16; 3] {
    [a + d, b + e, c + f]
}

/// The output for a row.
struct RowBuffers<'o> {
    luma: &'o mut Vec<u8>,
    /// `None` if the encoder does not use the chroma of this row.
    chroma: Option<ChromaBuffers<'o>>,
}

/// The output for the chroma of two rows.
struct ChromaBuffers<'o> {
    blue: &'o mut Vec<u8>,
    red: &'o mut Vec<u8>,
    /// The two rows of the picture. Equal for the last row of an odd height.
    upper: usize,
    lower: usize,
}

impl ChromaBuffers<'_> {
    /// Appends Cb and Cr of blocks of two pixels.
    fn extend(self, blocks: impl Iterator<Item = [u8; 2]>) {
        for [blue, red] in blocks {
            self.blue.extend_from_slice(&[blue; 2]);
            self.red.extend_from_slice(&[red; 2]);
        }
    }
}

impl ImageBuffer for EncoderInput<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        if self.format.has_colour() { JpegColorType::Ycbcr } else { JpegColorType::Luma }
    }

    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        self.height
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let [luma, blue, red, _] = buffers;
        let width = usize::from(self.width);
        let [luma_end, blue_end, red_end] = [&*luma, blue, red].map(|buffer| buffer.len() + width);

        // The encoder repeats the last row to fill its blocks, so it uses the chroma of that row at any height.
        let needs_chroma = y.is_multiple_of(2) || y.saturating_add(1) >= self.height;
        let y = usize::from(y);
        let upper = y & !1;
        let lower = (upper + 1).min(usize::from(self.height).saturating_sub(1));
        let chroma = needs_chroma.then_some(ChromaBuffers { blue: &mut *blue, red: &mut *red, upper, lower });
        let out = RowBuffers { luma: &mut *luma, chroma };

        match self.format {
            PixelFormat::Yuyv => self.packed(y, out, |[y0, cb, y1, cr]| [y0, y1, cb, cr]),
            PixelFormat::Uyvy => self.packed(y, out, |[cb, y0, cr, y1]| [y0, y1, cb, cr]),
            PixelFormat::Yvyu => self.packed(y, out, |[y0, cr, y1, cb]| [y0, y1, cb, cr]),
            PixelFormat::Vyuy => self.packed(y, out, |[cr, y0, cb, y1]| [y0, y1, cb, cr]),
            PixelFormat::Nv12 => self.semi_planar(y, out, ChromaSubsampling::Yuv420, |pair| pair),
            PixelFormat::Nv21 => self.semi_planar(y, out, ChromaSubsampling::Yuv420, |[cr, cb]| [cb, cr]),
            PixelFormat::Nv16 => self.semi_planar(y, out, ChromaSubsampling::Yuv422, |pair| pair),
            PixelFormat::Nv61 => self.semi_planar(y, out, ChromaSubsampling::Yuv422, |[cr, cb]| [cb, cr]),
            PixelFormat::Yu12 => self.planar(y, out, ChromaSubsampling::Yuv420, 1, 2),
            PixelFormat::Yv12 => self.planar(y, out, ChromaSubsampling::Yuv420, 2, 1),
            PixelFormat::Yuv422p => self.planar(y, out, ChromaSubsampling::Yuv422, 1, 2),
            PixelFormat::Grey => self.luma_plane(y, out.luma),
            PixelFormat::Yuv24 => self.yuv(y, out),
            PixelFormat::Rgb24 => self.rgb(y, out, |pixel: [u8; 3]| pixel),
            PixelFormat::Bgr24 => self.rgb(y, out, |[b, g, r]: [u8; 3]| [r, g, b]),
            PixelFormat::Rgb32 | PixelFormat::Xrgb32 | PixelFormat::Argb32 => {
                self.rgb(y, out, |[_, r, g, b]| [r, g, b])
            }
            PixelFormat::Bgr32 | PixelFormat::Xbgr32 | PixelFormat::Abgr32 => {
                self.rgb(y, out, |[b, g, r, _]| [r, g, b])
            }
            PixelFormat::Rgbx32 | PixelFormat::Rgba32 => self.rgb(y, out, |[r, g, b, _]| [r, g, b]),
            PixelFormat::Bgrx32 | PixelFormat::Bgra32 => self.rgb(y, out, |[_, b, g, r]| [r, g, b]),
        }

        // Truncates the second half of a pair if the width is odd, and fills omitted rows of chroma. The encoder
        // requires rows of exactly this width.
        luma.resize(luma_end, 0);
        if self.format.has_colour() {
            blue.resize(blue_end, 128);
            red.resize(red_end, 128);
        }
    }
}
