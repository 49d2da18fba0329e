//! Decoding at every scale, with any bytes and with damaged images.
#![no_main]

use std::cell::RefCell;

use hotshoe_camera::pixels::{DecodeError, Decoder, Format, Scale};
use hotshoe_camera::{Dimensions, JpegImage};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

/// Images of every kind that is decoded.
const IMAGES: [&[u8]; 7] = [
    include_bytes!("../../crates/camera/tests/fixtures/420-optimal-33x17.jpg"),
    include_bytes!("../../crates/camera/tests/fixtures/422-standard-15x100.jpg"),
    include_bytes!("../../crates/camera/tests/fixtures/444-standard-33x17.jpg"),
    include_bytes!("../../crates/camera/tests/fixtures/grey-2x2-17x9.jpg"),
    include_bytes!("../../crates/camera/tests/fixtures/one-pixel.jpg"),
    include_bytes!("../../crates/camera/tests/fixtures/progressive-17x9.jpg"),
    include_bytes!("../../crates/camera/tests/fixtures/restart-611x333.jpg"),
];

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Bytes(&'a [u8]),
    /// Bytes of an image that are replaced, by their offset, modulo its length.
    Damaged {
        image: u8,
        changes: Vec<(u16, u8)>,
    },
}

thread_local! {
    /// Reused for every image, as in the host.
    static DECODER: RefCell<Decoder> = RefCell::default();
}

fuzz_target!(|input: Input<'_>| {
    let bytes = match input {
        Input::Bytes(bytes) => bytes.to_vec(),
        Input::Damaged { image, changes } => {
            let mut bytes = IMAGES[usize::from(image) % IMAGES.len()].to_vec();
            for (offset, value) in changes {
                let offset = usize::from(offset) % bytes.len();
                bytes[offset] = value;
            }
            bytes
        }
    };
    let Ok(image) = JpegImage::new(bytes.into()) else { return };
    for format in Format::ALL {
        for scale in Scale::ALL {
            let needed = Decoder::memory_needed(&image, scale, format);
            match DECODER.with_borrow_mut(|decoder| decoder.decode(&image, scale, format)) {
                Ok(picture) => {
                    let size = scale.apply(image.dimensions);
                    let Dimensions { width, height } = picture.dimensions();
                    // EXIF data may turn it.
                    assert!([(width, height), (height, width)].contains(&(size.width, size.height)));
                    assert!(needed.is_ok_and(|needed| needed >= picture.pixels().len()));
                    assert_eq!(picture.pixels().len(), size.width as usize * size.height as usize * format.bytes());
                }
                // The size is judged before anything else, whatever is requested.
                Err(DecodeError::TooLarge { .. } | DecodeError::TooShort(_)) => return,
                Err(error) => assert!(!error.to_string().contains('\n')),
            }
        }
    }
});
