//! Guests that decode and draw, well and badly.

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{built_in_pictures, guests};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

struct Setup {
    server: Server,
    _folder: tempfile::TempDir,
}

/// Starts a server with a camera that always shows the same picture.
fn serve(guest: &[u8]) -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let (path, pictures) = (folder.path().join("guest.wasm"), folder.path().join("pictures"));
    std::fs::write(&path, guest).unwrap();
    std::fs::create_dir(&pictures).unwrap();
    std::fs::write(pictures.join("1.jpg"), &built_in_pictures()[0]).unwrap();
    let camera = format!("emulated=emulated:{},fps=50", pictures.display());
    let options = ["--camera", &camera, "--guest", path.to_str().unwrap(), "--answer-timeout", "2"];
    Setup { server: Server::start(&options), _folder: folder }
}

/// Decodes an image as luma. Returns the width and the pixels.
fn luma(jpeg: &[u8]) -> (usize, Vec<u8>) {
    let options = DecoderOptions::new_fast().jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    let pixels = decoder.decode().unwrap();
    (decoder.dimensions().unwrap().0, pixels)
}

/// The image must be the camera's, with black pixels in the upper left corner.
#[track_caller]
fn assert_masked(jpeg: &[u8]) {
    let ((width, original), (found_width, found)) = (luma(&built_in_pictures()[0]), luma(jpeg));
    assert_eq!(width, found_width);
    for (index, (original, found)) in original.iter().zip(&found).enumerate() {
        let (x, y) = (index % width, index / width);
        // A block of the JPEG may contain the edge.
        if x < 120 && y < 56 {
            assert!(*found < 20, "{x},{y} is {found}");
        } else if x >= 136 || y >= 72 {
            assert!(original.abs_diff(*found) < 60, "{x},{y} is {found} instead of {original}");
        }
    }
}

#[test]
fn a_guest_draws_on_frames_and_serves_them_as_snapshots() {
    let setup = serve(&guests::seeing(guests::MASKS));
    for _ in 0..3 {
        assert_masked(&get(setup.server.address, "/bad").body);
    }
}

#[test]
fn a_guest_pushes_frames_that_it_made_to_a_channel() {
    let setup = serve(&guests::publishing_masked_frames());
    let mut stream = Viewer::watch(setup.server.address, "/c");
    for _ in 0..3 {
        let part = stream.chunk();
        let start = part.windows(2).position(|pair| pair == [0xFF, 0xD8]).unwrap();
        assert_masked(&part[start..]);
    }
}

#[test]
fn luma_at_an_eighth_has_the_means_of_the_blocks() {
    let setup = serve(&guests::seeing(guests::READS_EIGHTH));
    let found = get(setup.server.address, "/bad").body;
    let (width, original) = luma(&built_in_pictures()[0]);
    let across = width / 8;
    assert_eq!(found.len() * 64, original.len());
    for (index, found) in found.iter().enumerate() {
        let (x, y) = (index % across * 8, index / across * 8);
        let sum: u32 = (0..64).map(|i| u32::from(original[(y + i / 8) * width + x + i % 8])).sum();
        assert!((i64::from(sum / 64) - i64::from(*found)).abs() <= 4, "{x},{y} is {found} instead of {}", sum / 64);
    }
}

#[test]
fn adopted_bytes_are_served_like_an_image_of_a_camera() {
    let setup = serve(&guests::seeing(guests::ADOPTS));
    assert_eq!(get(setup.server.address, "/bad").body, built_in_pictures()[0]);
}

#[test]
fn wrong_sizes_areas_and_bytes_are_errors_with_a_reason() {
    let setup = serve(&guests::seeing(guests::MAKES_EVERY_MISTAKE));
    for _ in 0..8 {
        // The indices are those of `error-code` in the WIT. The last picture exceeds the memory of an instance.
        assert_eq!(get(setup.server.address, "/bad").text(), "00.343552.8");
    }
    assert!(setup.server.memory_kib() < 150 << 10, "large pictures were kept: {} KiB", setup.server.memory_kib());
}

#[test]
fn a_guest_that_holds_every_picture_gets_no_more() {
    let setup = serve(&guests::seeing(guests::HOLDS_PICTURES));
    for _ in 0..20 {
        assert_eq!(get(setup.server.address, "/bad").text(), "6", "too-many-pictures");
    }
    let setup = serve(&guests::seeing(guests::HOLDS_MADE_IMAGES));
    assert_eq!(get(setup.server.address, "/bad").text(), "7", "too-many-images");
}

#[test]
fn guests_that_decode_endlessly_delay_no_other_request() {
    let setup = serve(&guests::seeing(guests::DECODES_ENDLESSLY));
    let address = setup.server.address;
    let decoding: Vec<_> = (0..8).map(|_| std::thread::spawn(move || get(address, "/bad").status)).collect();
    while !decoding.iter().all(std::thread::JoinHandle::is_finished) {
        assert_eq!(get(address, "/ok").text(), "ok\n");
    }
    for status in decoding {
        assert_eq!(status.join().unwrap(), 504);
    }
    let threads = setup.server.threads();
    let processors = std::thread::available_parallelism().unwrap().get();
    // Besides the workers of the runtime, which has one for each processor.
    let decoding = threads.iter().filter(|(_, name)| name.starts_with("requests")).count();
    assert!(decoding <= 2 * processors + 4, "{threads:?}");
}
