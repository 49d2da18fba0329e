//! The emulated camera of `hotshoe-fakecam` as a library to preload.
//!
//! ```sh
//! LD_PRELOAD=target/debug/libfakecam.so FAKECAM_FRAMES=folder v4l2-ctl --all
//! ```
//!
//! The library interposes the functions of the C library through which programs access cameras. Calls for `/dev/videoN`
//! and its file descriptors go to the emulated camera, all others to the C library. The settings are documented in the
//! crate `hotshoe-fakecam`.
//!
//! # Variadic functions
//!
//! `open`, `fcntl`, `ioctl` and `syscall` are variadic in C. Stable Rust cannot define variadic functions, so they are
//! defined with their largest number of parameters. On x86-64 (System V ABI, 3.5.7) and AArch64 Linux (AAPCS64, 6.4.2),
//! integers and pointers are passed to variadic functions exactly as to functions with fixed parameters. Parameters
//! that the caller did not pass are garbage, which is passed on without being used. On other platforms, this library is
//! empty.
//!
//! # Limitations
//!
//! * Programs must be linked dynamically against glibc.
//! * Each process has its own cameras, so two processes never get EBUSY from each other.
//! * Buffers must be memory-mapped (`V4L2_MEMORY_MMAP`). `VIDIOC_EXPBUF`, `VIDIOC_CREATE_BUFS`, extended controls and
//!   events fail with `ENOTTY`.
//! * Streams do not survive a fork.
#![cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(unsafe_code, reason = "interposed functions have C signatures with raw pointers; each block states its proof")]

mod descriptors;
mod device;
mod directories;
mod open;
mod paths;
mod real;
mod stat;
mod syscall;
mod table;
