use std::mem::offset_of;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::event::{PollFd, PollFlags, poll};
use v4l2_sys_mit as sys;

use super::argument::{CAPTURE, MMAP, field_offset};
use super::*;
use crate::camera::cameras;
use crate::environment::Environment;

fn open(variables: &[(&str, &str)]) -> (Handle, OwnedFd) {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    cameras(Environment::new(variables))[0].open(true, true).unwrap()
}

/// Executes an ioctl. Its argument contains these words at these offsets, and zeros elsewhere.
fn call(handle: &Handle, request: Request, words: &[(usize, u32)]) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; argument_length(request.code())];
    words.iter().for_each(|(offset, value)| Argument(&mut bytes).set_u32(*offset, *value));
    handle.ioctl(request.code(), Some(&mut bytes), true)?;
    Ok(bytes)
}

fn word(bytes: &mut [u8], offset: usize) -> u32 {
    Argument(bytes).u32(offset)
}

const BUFFER: [(usize, u32); 2] =
    [(offset_of!(sys::v4l2_buffer, type_), CAPTURE), (offset_of!(sys::v4l2_buffer, memory), MMAP)];

/// Requests two buffers, queues the first and starts the stream.
fn stream(handle: &Handle) {
    let request = [
        (offset_of!(sys::v4l2_requestbuffers, count), 2),
        (offset_of!(sys::v4l2_requestbuffers, type_), CAPTURE),
        (offset_of!(sys::v4l2_requestbuffers, memory), MMAP),
    ];
    call(handle, Request::REQBUFS, &request).unwrap();
    call(handle, Request::QBUF, &BUFFER).unwrap();
    call(handle, Request::STREAMON, &[(0, CAPTURE)]).unwrap();
}

fn wait(descriptor: &OwnedFd) -> PollFlags {
    let mut descriptors = [PollFd::new(descriptor, PollFlags::IN)];
    poll(&mut descriptors, None).unwrap();
    descriptors[0].revents()
}

#[test]
fn request_codes_match_the_kernels() {
    assert_eq!(Request::QUERYCAP.code(), 0x8068_5600);
    assert_eq!(Request::S_FMT.code(), 0xC0D0_5605);
    assert_eq!(Request::DQBUF.code(), 0xC058_5611);
    assert_eq!(Request::STREAMON.code(), 0x4004_5612);
    assert_eq!(Request::from_code(Request::QUERY_EXT_CTRL.code()), Some(Request::QUERY_EXT_CTRL));
    assert_eq!(Request::from_code(0), None);
}

#[test]
fn the_nearest_format_is_negotiated() {
    let (handle, _descriptor) = open(&[("FAKECAM_SIZES", "640x480,320x240")]);
    let requested = [
        (offset_of!(sys::v4l2_format, type_), CAPTURE),
        (field_offset!(sys::v4l2_format, fmt, sys::v4l2_pix_format, width), 300),
        (field_offset!(sys::v4l2_format, fmt, sys::v4l2_pix_format, height), 200),
    ];
    let mut format = call(&handle, Request::S_FMT, &requested).unwrap();
    assert_eq!(word(&mut format, field_offset!(sys::v4l2_format, fmt, sys::v4l2_pix_format, width)), 320);
    assert_eq!(word(&mut format, field_offset!(sys::v4l2_format, fmt, sys::v4l2_pix_format, height)), 240);
    assert_eq!(call(&handle, Request::S_FMT, &[]).err(), Some(Errno::INVAL), "wrong buffer type");
}

#[test]
fn frames_make_the_descriptor_readable() {
    let (handle, descriptor) = open(&[("FAKECAM_SIZES", "320x240"), ("FAKECAM_FPS", "100")]);
    stream(&handle);
    for sequence in 0..3 {
        assert_eq!(wait(&descriptor), PollFlags::IN);
        let mut buffer = call(&handle, Request::DQBUF, &BUFFER).unwrap();
        assert_eq!(word(&mut buffer, offset_of!(sys::v4l2_buffer, bytesused)), 320 * 240 * 2);
        assert!(word(&mut buffer, offset_of!(sys::v4l2_buffer, sequence)) >= sequence);
        assert_eq!(call(&handle, Request::DQBUF, &BUFFER).err(), Some(Errno::AGAIN), "only one buffer is queued");
        // The last square, 8 pixels wide, shows the last bit of the sequence number.
        let memory = handle.memory(0, 320 * 240 * 2).unwrap();
        let mut luma = [0];
        memory.read_exact_at(&mut luma, 31 * 8 * 2).unwrap();
        let is_odd = word(&mut buffer, offset_of!(sys::v4l2_buffer, sequence)) % 2 == 1;
        assert_eq!(luma[0], if is_odd { 235 } else { 16 });
        call(&handle, Request::QBUF, &BUFFER).unwrap();
    }
    call(&handle, Request::STREAMOFF, &[(0, CAPTURE)]).unwrap();
    assert_eq!(call(&handle, Request::DQBUF, &BUFFER).err(), Some(Errno::INVAL));
}

#[test]
fn an_unplugged_camera_returns_enodev_until_it_is_closed() {
    let settings = [("FAKECAM_UNPLUG_AFTER", "2"), ("FAKECAM_SIZES", "320x240"), ("FAKECAM_FPS", "100")];
    let (handle, descriptor) = open(&[&settings[..], &[("FAKECAM_UNPLUG_SECONDS", "0")]].concat());
    stream(&handle);
    while !wait(&descriptor).contains(PollFlags::HUP) {
        if call(&handle, Request::DQBUF, &BUFFER).is_ok() {
            call(&handle, Request::QBUF, &BUFFER).unwrap();
        }
    }
    assert_eq!(call(&handle, Request::DQBUF, &BUFFER).err(), Some(Errno::NODEV));
    assert!(handle.is_unplugged() && handle.memory(0, 1).is_err());
    // The camera comes back when the old handle is closed.
    let camera = handle.camera.clone();
    assert!(!camera.is_present());
    drop(handle);
    assert!(camera.is_present());
}

#[test]
fn only_one_handle_can_stream() {
    let (first, _descriptor) = open(&[]);
    stream(&first);
    let (second, _other) = first.camera.open(true, true).unwrap();
    assert_eq!(call(&second, Request::STREAMON, &[(0, CAPTURE)]).err(), Some(Errno::BUSY));
    drop(first);
    stream(&second);
}

#[test]
fn a_control_that_is_set_automatically_is_inactive() {
    const EXPOSURE_AUTO: u32 = 0x009A_0901;
    const EXPOSURE_ABSOLUTE: u32 = 0x009A_0902;
    let (handle, _descriptor) = open(&[]);
    let set = |id, value| call(&handle, Request::S_CTRL, &[(0, id), (4, value)]).err();
    assert_eq!(set(EXPOSURE_ABSOLUTE, 100), Some(Errno::ACCESS));
    assert_eq!(set(EXPOSURE_AUTO, 2), Some(Errno::INVAL), "a gap in the menu");
    assert_eq!(set(EXPOSURE_AUTO, 9), Some(Errno::RANGE));
    assert_eq!(set(EXPOSURE_AUTO, 1), None);
    assert_eq!(set(EXPOSURE_ABSOLUTE, 100), None);
    let mut value = call(&handle, Request::G_CTRL, &[(0, EXPOSURE_ABSOLUTE)]).unwrap();
    assert_eq!(word(&mut value, 4), 100);
}
