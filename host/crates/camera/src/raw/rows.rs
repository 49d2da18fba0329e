//! A raw frame as the rows of luma and chroma that the JPEG encoder reads.

use super::format::{PixelFormat, Rows};
use super::layout::{Layout, Plane};
use super::levels::{Levels, chroma_of, luma_of};
use jpeg_encoder::{ImageBuffer, JpegColorType};

/// A frame that the JPEG encoder reads row by row.
///
/// The encoder takes rows at full width from its [`ImageBuffer`] and, for 4:2:0, keeps the chroma of every second
/// pixel of every second row. So these get the mean of what they stand for, and the others mere filling.
pub(super) struct Frame<'a> {
    raw: &'a [u8],
    format: PixelFormat,
    planes: [Plane; 3],
    levels: &'a Levels,
    width: u16,
    height: u16,
}

impl<'a> Frame<'a> {
    /// A frame of `width` by `height` pixels, which have to be those of the layout.
    pub(super) fn new(raw: &'a [u8], layout: &Layout, levels: &'a Levels, width: u16, height: u16) -> Self {
        Self { raw, format: layout.format, planes: layout.planes(), levels, width, height }
    }

    fn row(&self, plane: usize, y: usize) -> &'a [u8] {
        self.planes.get(plane).map(|plane| plane.row(self.raw, y)).unwrap_or_default()
    }

    /// Luma of a plane that holds nothing else.
    fn luma_plane(&self, y: usize, luma: &mut Vec<u8>) {
        luma.extend(self.row(0, y).iter().map(|&value| self.levels.luma(value)));
    }

    /// Luma and chroma of a packed format; `order` brings four bytes into the order Y Y Cb Cr.
    fn packed(&self, y: usize, out: Out<'_>, order: impl Fn([u8; 4]) -> [u8; 4] + Copy) {
        let quads = |y| self.row(0, y).as_chunks::<4>().0.iter().map(move |&quad| order(quad));
        out.luma.extend(quads(y).flat_map(|[left, right, ..]| [self.levels.luma(left), self.levels.luma(right)]));
        if let Some(chroma) = out.chroma {
            let pairs = |y| quads(y).map(|[.., blue, red]| [blue, red]);
            self.chroma(pairs(chroma.upper), pairs(chroma.lower), chroma);
        }
    }

    /// Luma and chroma of a format with a plane of chroma pairs; `order` brings them into the order Cb Cr.
    fn semi_planar(&self, y: usize, out: Out<'_>, rows: Rows, order: impl Fn([u8; 2]) -> [u8; 2] + Copy) {
        self.luma_plane(y, out.luma);
        if let Some(chroma) = out.chroma {
            let pairs = |y| self.row(1, rows.of(y)).as_chunks::<2>().0.iter().map(move |&pair| order(pair));
            self.chroma(pairs(chroma.upper), pairs(chroma.lower), chroma);
        }
    }

    /// Luma and chroma of a format with planes for Cb and Cr, whose places in memory are given.
    fn planar(&self, y: usize, out: Out<'_>, rows: Rows, blue: usize, red: usize) {
        self.luma_plane(y, out.luma);
        if let Some(chroma) = out.chroma {
            let pairs = |y| {
                let [blue, red] = [blue, red].map(|plane| self.row(plane, rows.of(y)).iter().copied());
                blue.zip(red).map(|(blue, red)| [blue, red])
            };
            self.chroma(pairs(chroma.upper), pairs(chroma.lower), chroma);
        }
    }

    /// The means of two rows of chroma pairs.
    fn chroma<P>(&self, upper: P, lower: P, out: ChromaOut<'_>)
    where
        P: Iterator<Item = [u8; 2]> + Clone,
    {
        let level = |upper: u8, lower: u8| self.levels.chroma(upper.midpoint(lower));
        let pairs = upper.zip(lower);
        out.blue.extend(pairs.clone().flat_map(|([upper, _], [lower, _])| [level(upper, lower); 2]));
        out.red.extend(pairs.flat_map(|([_, upper], [_, lower])| [level(upper, lower); 2]));
    }

    /// Luma and chroma of an RGB format with `N` bytes a pixel; `order` brings them into the order R G B.
    fn rgb<const N: usize>(&self, y: usize, out: Out<'_>, order: impl Fn([u8; N]) -> [u8; 3] + Copy) {
        let pixels = |y| self.row(0, y).as_chunks::<N>().0;
        out.luma.extend(pixels(y).iter().map(|&pixel| luma_of(order(pixel))));
        if let Some(chroma) = out.chroma {
            // At an odd width the last pixel counts twice.
            let sum = |pair: &[[u8; N]]| match *pair {
                [left, right] => add(order(left).map(u16::from), order(right).map(u16::from)),
                [single] => order(single).map(|value| u16::from(value) * 2),
                _ => [0; 3],
            };
            let rows = pixels(chroma.upper).chunks(2).zip(pixels(chroma.lower).chunks(2));
            for (upper, lower) in rows {
                let [blue, red] = chroma_of(add(sum(upper), sum(lower)));
                chroma.blue.extend_from_slice(&[blue; 2]);
                chroma.red.extend_from_slice(&[red; 2]);
            }
        }
    }
}

fn add([a, b, c]: [u16; 3], [d, e, f]: [u16; 3]) -> [u16; 3] {
    [a + d, b + e, c + f]
}

/// Where the samples of a row go.
struct Out<'o> {
    luma: &'o mut Vec<u8>,
    /// `None` where the encoder will not look.
    chroma: Option<ChromaOut<'o>>,
}

/// Where the chroma of two rows of the picture goes.
struct ChromaOut<'o> {
    blue: &'o mut Vec<u8>,
    red: &'o mut Vec<u8>,
    /// The two rows, which are the same one at the end of an odd height.
    upper: usize,
    lower: usize,
}

impl ImageBuffer for Frame<'_> {
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

        // The encoder repeats the last row to fill its blocks, so it may look at that one's chroma at any height.
        let is_looked_at = y.is_multiple_of(2) || y.saturating_add(1) >= self.height;
        let y = usize::from(y);
        let upper = y & !1;
        let lower = (upper + 1).min(usize::from(self.height).saturating_sub(1));
        let chroma = is_looked_at.then_some(ChromaOut { blue: &mut *blue, red: &mut *red, upper, lower });
        let out = Out { luma: &mut *luma, chroma };

        match self.format {
            PixelFormat::Yuyv => self.packed(y, out, |[y0, cb, y1, cr]| [y0, y1, cb, cr]),
            PixelFormat::Uyvy => self.packed(y, out, |[cb, y0, cr, y1]| [y0, y1, cb, cr]),
            PixelFormat::Yvyu => self.packed(y, out, |[y0, cr, y1, cb]| [y0, y1, cb, cr]),
            PixelFormat::Vyuy => self.packed(y, out, |[cr, y0, cb, y1]| [y0, y1, cb, cr]),
            PixelFormat::Nv12 => self.semi_planar(y, out, Rows::Half, |pair| pair),
            PixelFormat::Nv21 => self.semi_planar(y, out, Rows::Half, |[cr, cb]| [cb, cr]),
            PixelFormat::Nv16 => self.semi_planar(y, out, Rows::Full, |pair| pair),
            PixelFormat::Nv61 => self.semi_planar(y, out, Rows::Full, |[cr, cb]| [cb, cr]),
            PixelFormat::Yu12 => self.planar(y, out, Rows::Half, 1, 2),
            PixelFormat::Yv12 => self.planar(y, out, Rows::Half, 2, 1),
            PixelFormat::Yuv422p => self.planar(y, out, Rows::Full, 1, 2),
            PixelFormat::Grey => self.luma_plane(y, out.luma),
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

        // Cuts the second half of a pair at an odd width and fills rows of chroma that were left out. The encoder
        // indexes what it gets, so each row must have just its width.
        luma.resize(luma_end, 0);
        if self.format.has_colour() {
            blue.resize(blue_end, 128);
            red.resize(red_end, 128);
        }
    }
}
