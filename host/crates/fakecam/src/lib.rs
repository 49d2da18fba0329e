//! An emulated V4L2 camera, for tests on machines without a camera.
//!
//! The camera behaves like a UVC webcam. It delivers MJPG (the JPEG files in a folder, in a loop) or YUYV (the
//! [`test_pattern`]), has controls, can be unplugged, and can inject faults. Programs can use it in two ways:
//!
//! * `hotshoe-fakecam-preload` is a library for `LD_PRELOAD`. It interposes functions of the C library, so that an
//!   unmodified program finds a `/dev/video0`.
//! * [`usb::run`] is a USB camera in user space, for a virtual machine. The kernel's `uvcvideo` driver finds it.
//!
//! This crate implements the camera itself and contains no unsafe code.
//!
//! # Settings
//!
//! The settings are environment variables `FAKECAM_NAME`, or `FAKECAM<N>_NAME` for camera N only. The USB camera
//! ignores those marked with *.
//!
//! | name | default | meaning |
//! | --- | --- | --- |
//! | `FRAMES` | | folder with JPEG files, sorted by name; their sizes are the MJPG sizes |
//! | `FORMATS` | `MJPG,YUYV` | pixel formats, the default one first |
//! | `SIZES` | `640x480,320x240,1280x720,1920x1080` | YUYV sizes, the default one first |
//! | `FPS` | `30,24,20,15,10,7.5,5` | frame rates, the default one first |
//! | `RATE` | 0 (as negotiated) | actual frame rate, like that of a camera in the dark |
//! | `JITTER_MS` * | 0 | delay each frame randomly by up to this time |
//! | `LATENCY_MS` * | 0 | deliver frames this long after their timestamps |
//! | `STAMP` | 0 | 1: add a JPEG comment `fakecam seq=N mono=SECONDS` to each frame |
//! | `STRIP_DHT` | 0 | 1: omit the Huffman tables, like many real cameras |
//! | `PAD` | 0 | append this many zero bytes to each JPEG, like some real cameras |
//! | `DEVICES` * | 1 | number of cameras, at most 8: `/dev/video0`, `/dev/video1`, … |
//! | `CARD` | `Fakecam N`, or `Fakecam USB` | name of the camera |
//! | `ALIAS` * | | additional path of the camera, such as one in `/dev/v4l/by-id` |
//! | `MAX_BUFFERS` * | 32 | largest number of buffers that `VIDIOC_REQBUFS` allocates |
//! | `CTL` | | control file, see below |
//! | `LOG`, `LOG_FILE` | 0, stderr | 1: log events, 2: also calls, 3: also `QBUF` and `DQBUF` |
//!
//! These settings inject faults. Frames are counted from 0 at each `VIDIOC_STREAMON`.
//!
//! | name | default | meaning |
//! | --- | --- | --- |
//! | `UNPLUG_AFTER` | 0 (never) | unplug the camera at this frame: ENODEV for open handles, ENOENT for `open` and `stat` |
//! | `UNPLUG_SECONDS` | 3 | plug the camera in after this time |
//! | `UNPLUG_TIMES` | 1 | how often to unplug the camera (0: without limit) |
//! | `STRICT_REPLUG` * | 1 | 1: the node comes back only when all old handles are closed, as in the kernel |
//! | `STALL_AFTER`, `STALL_SECONDS`, `STALL_TIMES` | 0, 3, 1 | deliver no frames for some time, without an error |
//! | `DROP_EVERY` | 0 (never) | drop every Nth frame, which leaves a gap in the sequence numbers |
//! | `CORRUPT_EVERY` | 0 (never) | overwrite 64 bytes in the middle of every Nth frame; in a JPEG, with an invalid Huffman code |
//! | `TRUNCATE_EVERY` | 0 (never) | cut every Nth frame in half |
//! | `EMPTY_EVERY` | 0 (never) | set `bytesused` of every Nth frame to 0 |
//! | `ERROR_EVERY` | 0 (never) | cut every Nth frame in half and set `V4L2_BUF_FLAG_ERROR` |
//! | `UNPLUGGED`, `STALLED` | 0 | 1: keep the camera in this state; for the control file |
//! | `FAIL` * | | `OP=ERRNO[:COUNT[@FIRST]],…`: calls that fail. OP is `OPEN`, `MMAP` or an ioctl without `VIDIOC_`. COUNT calls fail, starting with call number FIRST; without COUNT, all calls fail |
//!
//! The control file contains lines `FAKECAM_NAME=VALUE`, which take precedence over the environment. The camera reads
//! it again at each frame, so that a test can unplug the camera at any time.
#![forbid(unsafe_code)]
#![allow(clippy::indexing_slicing, reason = "in a test tool, a panic fails the test and shows the location")]

mod camera;
mod clock;
mod controls;
mod environment;
mod formats;
mod frames;
mod injected_errors;
mod ioctl;
mod jpeg_files;
mod log;
mod options;
mod session;
mod stream;
pub mod test_pattern;
pub mod usb;

pub use camera::{Camera, Handle, cameras};
pub use environment::Environment;
pub use ioctl::argument_length;
pub use rustix::io::Errno;
