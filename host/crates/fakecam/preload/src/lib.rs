//! The emulated camera of `hotshoe-fakecam` as a library to preload.
//!
//! ```sh
//! LD_PRELOAD=target/debug/libfakecam.so FAKECAM_FRAMES=folder v4l2-ctl --all
//! ```
//!
//! The functions of the C library that programs reach a camera with are interposed: what concerns `/dev/videoN` and
//! its descriptors goes to the emulated camera, everything else to the C library. The crate `hotshoe-fakecam`
//! documents the settings.
//!
//! # Variadic functions
//!
//! `open`, `fcntl`, `ioctl` and `syscall` are variadic in C, and stable Rust cannot define variadic functions. They
//! are defined with all the parameters that they can have. On x86-64 (System V ABI, 3.5.7) and on AArch64 Linux
//! (AAPCS64, 6.4.2), integers and pointers are passed to a variadic function exactly as to one with fixed parameters.
//! What the caller did not pass is garbage; it is passed on and never looked at. On other platforms this library is
//! empty.
//!
//! # Limits
//!
//! * Only for programs that are dynamically linked against glibc.
//! * Each process has cameras of its own; two processes do not see each other's EBUSY.
//! * Only memory-mapped buffers (`V4L2_MEMORY_MMAP`). `ENOTTY` for `VIDIOC_EXPBUF`, `VIDIOC_CREATE_BUFS`, extended
//!   controls and events.
//! * A stream does not survive a fork.
#![cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(unsafe_code, reason = "the interposed functions take and return C's pointers; each block states its proof")]

mod descriptors;
mod device;
mod directories;
mod open;
mod paths;
mod real;
mod stat;
mod syscall;
mod table;
