//! An emulated V4L2 camera for tests on machines without one.
//!
//! The camera behaves like a UVC webcam: it offers MJPG (JPEG files from a folder, in turn) and YUYV (moving bars),
//! has controls, can be unplugged, and can be told to misbehave. Programs get it in one of two ways:
//!
//! * `hotshoe-fakecam-preload` is a library to preload (`LD_PRELOAD`). It gives an unmodified program a
//!   `/dev/video0` by interposing the C library's functions.
//! * [`usb::run`] is a USB camera in user space, for a virtual machine: the kernel's own `uvcvideo` driver finds it.
//!
//! This crate is the camera itself and contains no unsafe code.
//!
//! # Settings
//!
//! Environment variables `FAKECAM_NAME`, or `FAKECAM<N>_NAME` for camera N only. Those marked * are ignored by the
//! USB camera.
//!
//! | name | default | meaning |
//! | --- | --- | --- |
//! | `FRAMES` | none | folder of JPEG files; each size found there is an MJPG size, its files in the order of their names |
//! | `FORMATS` | `MJPG,YUYV` | the formats, the default one first |
//! | `SIZES` | `640x480,320x240,1280x720,1920x1080` | YUYV sizes |
//! | `FPS` | `30,24,20,15,10,7.5,5` | frame rates, the default one first |
//! | `RATE` | 0 | the rate at which frames really come, whatever was negotiated (a camera in the dark) |
//! | `JITTER_MS` * | 0 | each frame is late by up to this, at random |
//! | `LATENCY_MS` * | 0 | frames are this old when they arrive, and their timestamps say so |
//! | `STAMP` | 0 | 1: a JPEG comment `fakecam seq=N mono=SECONDS` in each frame |
//! | `STRIP_DHT` | 0 | 1: leave out the Huffman tables, as many real cameras do |
//! | `PAD` | 0 | this many zero bytes after each JPEG, as some real cameras do |
//! | `DEVICES` * | 1 | the number of cameras, 8 at most: `/dev/video0`, `/dev/video1`, … |
//! | `CARD` | `Fakecam N` | name |
//! | `ALIAS` * | | one more path of the camera, such as one in `/dev/v4l/by-id` |
//! | `MAX_BUFFERS` * | 32 | `VIDIOC_REQBUFS` gives at most this many |
//! | `CTL` | | control file, see below |
//! | `LOG`, `LOG_FILE` | 0, stderr | 1: events, 2: calls, 3: also `QBUF` and `DQBUF` |
//!
//! Faults. Frames are counted from 0 at each `VIDIOC_STREAMON`.
//!
//! | name | default | meaning |
//! | --- | --- | --- |
//! | `UNPLUG_AFTER` | 0 (never) | unplug at this frame: ENODEV for open handles, ENOENT for `open` and `stat` |
//! | `UNPLUG_SECONDS` | 3 | it comes back after this time |
//! | `UNPLUG_TIMES` | 1 | so often in all (0: every time) |
//! | `STRICT_REPLUG` * | 1 | as in the kernel, the node only comes back once all old handles are closed |
//! | `STALL_AFTER`, `STALL_SECONDS`, `STALL_TIMES` | 0, 3, 1 | no frames for a while, without any error |
//! | `DROP_EVERY` | 0 | every Nth frame is missing: a gap in the sequence numbers |
//! | `CORRUPT_EVERY` | 0 | every Nth frame has 64 wrong bytes in the middle; in a JPEG they are no Huffman code |
//! | `TRUNCATE_EVERY` | 0 | every Nth frame is cut in half |
//! | `EMPTY_EVERY` | 0 | every Nth frame has `bytesused` 0 |
//! | `ERROR_EVERY` | 0 | every Nth frame is cut in half and flagged `V4L2_BUF_FLAG_ERROR` |
//! | `UNPLUGGED`, `STALLED` | 0 | 1: that state for as long as it is set; for the control file |
//! | `FAIL` * | | `OP=ERRNO[:COUNT[@FIRST]],…`: calls that fail. OP is `OPEN`, `MMAP` or an ioctl without `VIDIOC_`; COUNT calls from the FIRSTth on, all without a COUNT |
//!
//! The control file has lines `FAKECAM_NAME=VALUE` that take precedence over the environment. It is read again at
//! each frame, so that a test can pull the plug at any time.
#![forbid(unsafe_code)]
#![allow(clippy::indexing_slicing, reason = "a test tool: a panic ends the test and says where")]

mod argument;
mod camera;
mod clips;
mod clock;
mod controls;
mod environment;
mod failures;
mod frames;
mod ioctl;
mod log;
mod offer;
mod options;
mod request;
mod session;
mod stream;
pub mod usb;

pub use camera::{Camera, Handle, cameras};
pub use environment::Environment;
pub use ioctl::argument_length;
pub use rustix::io::Errno;
