//! The supported ioctls and their request codes, from `linux/videodev2.h`.

use std::ffi::c_int;

use v4l2_sys_mit::{
    v4l2_buffer, v4l2_capability, v4l2_control, v4l2_cropcap, v4l2_fmtdesc, v4l2_format, v4l2_frmivalenum,
    v4l2_frmsizeenum, v4l2_input, v4l2_query_ext_ctrl, v4l2_queryctrl, v4l2_querymenu, v4l2_requestbuffers,
    v4l2_selection, v4l2_streamparm,
};

// The direction of the argument, as the program sees it.
const WRITE: u32 = 1;
const READ: u32 = 2;
const BOTH: u32 = READ | WRITE;

/// Encodes a request code like `_IOC` (asm-generic/ioctl.h): direction, size, type and number.
const fn encode(direction: u32, number: u32, size: usize) -> u32 {
    direction << 30 | (size as u32) << 16 | (b'V' as u32) << 8 | number
}

macro_rules! requests {
    ($($name:ident $direction:ident $number:literal $argument:ty,)*) => {
        /// An ioctl, with the kernel's name without `VIDIOC_`.
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "the kernel's names, which the setting FAIL uses too")]
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Request {
            $($name,)*
        }

        impl Request {
            pub(crate) fn from_code(code: u32) -> Option<Self> {
                $(
                    if code == encode($direction, $number, size_of::<$argument>()) {
                        return Some(Self::$name);
                    }
                )*
                None
            }

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// Returns the request code.
            #[cfg(test)]
            pub(crate) fn code(self) -> u32 {
                match self {
                    $(Self::$name => encode($direction, $number, size_of::<$argument>()),)*
                }
            }
        }
    };
}

requests! {
    QUERYCAP READ 0 v4l2_capability,
    ENUM_FMT BOTH 2 v4l2_fmtdesc,
    G_FMT BOTH 4 v4l2_format,
    S_FMT BOTH 5 v4l2_format,
    REQBUFS BOTH 8 v4l2_requestbuffers,
    QUERYBUF BOTH 9 v4l2_buffer,
    QBUF BOTH 15 v4l2_buffer,
    DQBUF BOTH 17 v4l2_buffer,
    STREAMON WRITE 18 c_int,
    STREAMOFF WRITE 19 c_int,
    G_PARM BOTH 21 v4l2_streamparm,
    S_PARM BOTH 22 v4l2_streamparm,
    ENUMINPUT BOTH 26 v4l2_input,
    G_CTRL BOTH 27 v4l2_control,
    S_CTRL BOTH 28 v4l2_control,
    QUERYCTRL BOTH 36 v4l2_queryctrl,
    QUERYMENU BOTH 37 v4l2_querymenu,
    G_INPUT READ 38 c_int,
    S_INPUT BOTH 39 c_int,
    CROPCAP BOTH 58 v4l2_cropcap,
    TRY_FMT BOTH 64 v4l2_format,
    G_PRIORITY READ 67 u32,
    S_PRIORITY WRITE 68 u32,
    ENUM_FRAMESIZES BOTH 74 v4l2_frmsizeenum,
    ENUM_FRAMEINTERVALS BOTH 75 v4l2_frmivalenum,
    G_SELECTION BOTH 94 v4l2_selection,
    QUERY_EXT_CTRL BOTH 103 v4l2_query_ext_ctrl,
}
