//! Capabilities, formats and frame rates of an open node.

use std::io;

use rustix::io::Errno;
use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

use super::node::{CAPTURE_MPLANE, Node, text, zeroed};
use super::{controls, nodes, selection, signal, stream};
use crate::dimensions::Dimensions;
use crate::fourcc::FourCc;
use crate::rectangle::Rectangle;
use crate::v4l2::device::{Capabilities, Device, Format, OfferedControl, OfferedFormat, OfferedSize, Stream};

/// The denominator of requested frame rates. Thousandths distinguish 29.97 from 30, and 7.5 from 7.
const RATE_PRECISION: u32 = 1000;

impl Device for Node {
    fn capabilities(&self) -> io::Result<Capabilities> {
        let (raw, caps) = self.query()?;
        Ok(Capabilities { card: text(&raw.card), bus: text(&raw.bus_info), index: nodes::index(&self.path), caps })
    }

    fn has_input(&self) -> bool {
        let mut raw: sys::v4l2_input = zeroed();
        match self.ioctl(vidioc::VIDIOC_ENUMINPUT, &mut raw).map_err(|error| Errno::from_io_error(&error)) {
            // Not implemented, or an empty list. Any other error says nothing about inputs.
            Err(Some(Errno::NOTTY | Errno::INVAL)) => false,
            _ => true,
        }
    }

    fn inputs(&self) -> Vec<String> {
        signal::inputs(self)
    }

    fn select_input(&self, number: u32) -> io::Result<()> {
        signal::select_input(self, number)
    }

    fn standards(&self) -> Vec<String> {
        signal::standards(self)
    }

    fn select_standard(&self, number: u32) -> io::Result<()> {
        signal::select_standard(self, number)
    }

    fn adopt_timings(&self) -> io::Result<()> {
        signal::adopt_timings(self)
    }

    fn formats(&self) -> Vec<OfferedFormat> {
        self.list(|index| {
            let mut raw: sys::v4l2_fmtdesc = zeroed();
            raw.index = index;
            raw.type_ = self.buffer_type;
            self.ioctl(vidioc::VIDIOC_ENUM_FMT, &mut raw).ok()?;
            Some(OfferedFormat { code: FourCc(raw.pixelformat.to_le_bytes()), name: text(&raw.description) })
        })
    }

    fn sizes(&self, code: FourCc) -> Vec<OfferedSize> {
        self.list(|index| {
            let mut raw: sys::v4l2_frmsizeenum = zeroed();
            raw.index = index;
            raw.pixel_format = u32::from_le_bytes(code.0);
            self.ioctl(vidioc::VIDIOC_ENUM_FRAMESIZES, &mut raw).ok()?;
            // SAFETY: a union of two structures that contain only u32, for which any bytes are valid. `type_` says
            // which of the two the driver filled in.
            unsafe {
                if raw.type_ == sys::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE {
                    let size = raw.__bindgen_anon_1.discrete;
                    Some(OfferedSize::Discrete(Dimensions { width: size.width, height: size.height }))
                } else {
                    let size = raw.__bindgen_anon_1.stepwise;
                    Some(OfferedSize::Stepwise(
                        Dimensions { width: size.min_width, height: size.min_height },
                        Dimensions { width: size.max_width, height: size.max_height },
                    ))
                }
            }
        })
    }

    fn frame_rates(&self, code: FourCc, size: Dimensions) -> Vec<f64> {
        let rates: Vec<Vec<f64>> = self.list(|index| {
            let mut raw: sys::v4l2_frmivalenum = zeroed();
            raw.index = index;
            raw.pixel_format = u32::from_le_bytes(code.0);
            raw.width = size.width;
            raw.height = size.height;
            self.ioctl(vidioc::VIDIOC_ENUM_FRAMEINTERVALS, &mut raw).ok()?;
            // SAFETY: as in `sizes`: a union of two structures that contain only u32.
            let intervals = unsafe {
                if raw.type_ == sys::v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE {
                    vec![raw.__bindgen_anon_1.discrete]
                } else {
                    vec![raw.__bindgen_anon_1.stepwise.max, raw.__bindgen_anon_1.stepwise.min]
                }
            };
            Some(intervals.into_iter().filter_map(rate_from_interval).collect())
        });
        rates.into_iter().flatten().collect()
    }

    fn set_crop(&self, area: &Rectangle) -> io::Result<bool> {
        selection::set_crop(self, area)
    }

    fn crop(&self) -> io::Result<Rectangle> {
        selection::crop(self)
    }

    fn format(&self) -> io::Result<Format> {
        let mut raw: sys::v4l2_format = zeroed();
        raw.type_ = self.buffer_type;
        self.ioctl(vidioc::VIDIOC_G_FMT, &mut raw)?;
        Ok(format_from(&raw))
    }

    fn set_format(&self, code: FourCc, size: Dimensions) -> io::Result<Format> {
        let mut raw: sys::v4l2_format = zeroed();
        raw.type_ = self.buffer_type;
        let Dimensions { width, height } = size;
        let pixelformat = u32::from_le_bytes(code.0);
        let field = sys::v4l2_field_V4L2_FIELD_ANY;
        if self.is_multi_planar() {
            raw.fmt.pix_mp = sys::v4l2_pix_format_mplane { width, height, pixelformat, field, ..zeroed() };
        } else {
            raw.fmt.pix = sys::v4l2_pix_format { width, height, pixelformat, field, ..zeroed() };
        }
        self.ioctl(vidioc::VIDIOC_S_FMT, &mut raw)?;
        Ok(format_from(&raw))
    }

    fn frame_rate(&self) -> Option<f64> {
        let mut raw: sys::v4l2_streamparm = zeroed();
        raw.type_ = self.buffer_type;
        self.ioctl(vidioc::VIDIOC_G_PARM, &mut raw).ok()?;
        // SAFETY: the structure for capture, which contains only u32.
        rate_from_interval(unsafe { raw.parm.capture.timeperframe })
    }

    fn set_frame_rate(&self, rate: f64) -> Option<f64> {
        let mut raw: sys::v4l2_streamparm = zeroed();
        raw.type_ = self.buffer_type;
        raw.parm.capture = sys::v4l2_captureparm {
            timeperframe: sys::v4l2_fract {
                numerator: RATE_PRECISION,
                denominator: (rate * f64::from(RATE_PRECISION)) as u32,
            },
            ..zeroed()
        };
        match self.ioctl(vidioc::VIDIOC_S_PARM, &mut raw) {
            // SAFETY: as in `frame_rate`.
            Ok(()) => rate_from_interval(unsafe { raw.parm.capture.timeperframe }),
            // Not every driver supports this.
            Err(_) => self.frame_rate(),
        }
    }

    fn controls(&self) -> Vec<OfferedControl> {
        controls::all(self)
    }

    fn control(&self, id: u32) -> io::Result<i64> {
        controls::get(self, id)
    }

    fn set_control(&self, id: u32, value: i64) -> io::Result<i64> {
        controls::set(self, id, value)
    }

    fn start(self: Box<Self>, count: u32) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(stream::MmapStream::start(*self, count)?))
    }
}

fn format_from(raw: &sys::v4l2_format) -> Format {
    if raw.type_ == CAPTURE_MPLANE {
        // SAFETY: the structure for this buffer type, which the driver fills in; it contains only integers.
        let pix = unsafe { raw.fmt.pix_mp };
        let strides = std::array::from_fn(|plane| {
            let used = pix.plane_fmt.into_iter().take(pix.num_planes.into());
            used.map(|format| format.bytesperline as usize).nth(plane).unwrap_or_default()
        });
        return Format {
            code: FourCc(pix.pixelformat.to_le_bytes()),
            dimensions: Dimensions { width: pix.width, height: pix.height },
            strides,
            full_range: is_full_range(pix.quantization.into(), pix.colorspace),
        };
    }
    // SAFETY: as above, for single-planar capture.
    let pix = unsafe { raw.fmt.pix };
    Format {
        code: FourCc(pix.pixelformat.to_le_bytes()),
        dimensions: Dimensions { width: pix.width, height: pix.height },
        strides: [pix.bytesperline as usize, 0, 0],
        full_range: is_full_range(pix.quantization, pix.colorspace),
    }
}

/// YUV defaults to the limited range, except in the JPEG colour space ("Colorspaces", Table 2.14).
fn is_full_range(quantization: u32, colorspace: u32) -> bool {
    match quantization {
        sys::v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE => true,
        sys::v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE => false,
        _ => colorspace == sys::v4l2_colorspace_V4L2_COLORSPACE_JPEG,
    }
}

/// Converts a frame interval to frames per second. Returns `None` if the driver left it empty.
fn rate_from_interval(interval: sys::v4l2_fract) -> Option<f64> {
    (interval.numerator > 0 && interval.denominator > 0)
        .then(|| f64::from(interval.denominator) / f64::from(interval.numerator))
}
