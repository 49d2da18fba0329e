//! Instances that share pictures, change them, and hold as many as they can.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use super::error::PixelsError;
use super::instance::InstancePixels;
use super::pictures::Pixels;
use crate::camera::pixels::{Area, Format, Picture, Scale};
use crate::camera::{Dimensions, JpegImage};

/// Pixels of a server.
fn pixels() -> Pixels {
    let pixels = Pixels::default();
    pixels.run_on(Handle::current());
    pixels
}

fn image(width: u32, height: u32) -> JpegImage {
    Picture::black(Dimensions { width, height }, Format::Luma).unwrap().encode(80).unwrap()
}

#[tokio::test]
async fn instances_that_hold_the_same_picture_share_it() {
    let (pixels, image) = (pixels(), image(64, 48));
    let (mut first, mut second) = (InstancePixels::new(pixels.clone()), InstancePixels::new(pixels.clone()));
    let (one, two) = tokio::join!(
        first.decode(&image, Scale::Half, Format::Rgb, 1),
        second.decode(&image, Scale::Half, Format::Rgb, 1),
    );
    let (one, mut two) = (one.unwrap(), two.unwrap());
    assert!(std::ptr::eq(one.picture(), two.picture()), "the image was decoded twice");
    let other = first.decode(&image, Scale::Full, Format::Rgb, 1).await.unwrap();
    assert!(!std::ptr::eq(one.picture(), other.picture()));

    let area = Area { left: 0, top: 0, size: Dimensions { width: 1, height: 1 } };
    second.write(&mut two, area, &[255; 3]).unwrap();
    assert_eq!(two.picture().pixels()[..3], [255; 3]);
    assert_eq!(one.picture().pixels()[..3], [0; 3], "another instance's picture has changed");
    // A failed write leaves the picture shared.
    let mut three = first.decode(&image, Scale::Half, Format::Rgb, 1).await.unwrap();
    assert!(first.write(&mut three, area, &[255; 2]).is_err());
    assert!(std::ptr::eq(one.picture(), three.picture()));
}

#[tokio::test]
async fn a_picture_that_nothing_holds_is_gone() {
    let (pixels, image) = (pixels(), image(64, 48));
    let mut instance = InstancePixels::new(pixels.clone());
    let picture = instance.decode(&image, Scale::Full, Format::Luma, 1).await.unwrap();
    assert_eq!(pixels.shared.count(), 1);
    drop(picture);
    assert_eq!(pixels.shared.count(), 0);
}

#[tokio::test]
async fn all_instances_together_hold_no_more_than_the_limit() {
    let pixels = pixels();
    let size = Dimensions { width: 4096, height: 4096 };
    let mut held = Vec::new();
    let error = loop {
        let mut instance = InstancePixels::new(pixels.clone());
        match instance.create(size, Format::Rgb, 1) {
            Ok(picture) => held.push(picture),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, PixelsError::Memory), "{error}");
    // 48 MiB each, of 256.
    assert_eq!(held.len(), 5);
    held.pop();
    InstancePixels::new(pixels.clone()).create(size, Format::Rgb, 1).unwrap();
}

#[tokio::test]
async fn images_that_an_instance_made_are_counted_until_they_are_dropped() {
    let pixels = pixels();
    let free = pixels.memory.free_bytes();
    let made = pixels.adopt(image(640, 480).bytes.to_vec()).await.unwrap();
    let part = made.bytes.slice(10..20);
    drop(made);
    assert!(pixels.memory.free_bytes() < free, "a part of the image is still referenced");
    drop(part);
    assert_eq!(pixels.memory.free_bytes(), free);
}

#[test]
fn work_keeps_its_memory_after_its_request_is_dropped() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().max_blocking_threads(1).build().unwrap();
    let pixels = Pixels::default();
    pixels.run_on(runtime.handle().clone());
    let free = pixels.memory.free_bytes();
    let image = image(640, 480);
    // The work has to wait for this.
    let (finish, finished) = std::sync::mpsc::channel::<()>();
    let busy = runtime.spawn_blocking(move || finished.recv());
    let decode =
        || runtime.block_on(async { timeout(Duration::ZERO, pixels.decode(&image, Scale::Half, Format::Rgb)).await });
    assert!(decode().is_err());
    assert_eq!(pixels.shared.count(), 0, "the request is gone");
    // The picture at full size, and the reduced one.
    assert!(free - pixels.memory.free_bytes() >= 640 * 480 * 3 * 5 / 4, "{}", pixels.memory.free_bytes());
    finish.send(()).unwrap();
    runtime.block_on(busy).unwrap().unwrap();
    let held = runtime.block_on(pixels.decode(&image, Scale::Half, Format::Rgb)).unwrap();
    let taken = free - pixels.memory.free_bytes();
    assert!((320 * 240 * 3..320 * 240 * 3 + 1024).contains(&taken), "only the picture is kept: {taken}");
    drop(held);
    assert_eq!(pixels.memory.free_bytes(), free);
}

#[tokio::test]
async fn damaged_bytes_are_not_adopted() {
    let pixels = pixels();
    let mut bytes = image(640, 480).bytes.to_vec();
    let middle = bytes.len() - 40;
    bytes.drain(middle..middle + 20);
    assert!(matches!(pixels.adopt(bytes).await, Err(PixelsError::Adopt(_))));
}
