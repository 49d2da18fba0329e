//! Home Assistant's still image, and many small scripts: takes everything from FF D8 to the first FF D9 and ignores the
//! rest of the stream. This cuts off an image with a thumbnail, which is a bug of these clients.

use crate::http::{BodyReader, Response};

/// The longest image accepted, in bytes.
const MAX_IMAGE_LENGTH: usize = 64 * 1024 * 1024;

pub(crate) fn read(response: Response, count: usize) -> Result<Vec<Vec<u8>>, String> {
    let mut input = BodyReader::new(response.body);
    let mut images = Vec::new();
    while images.len() < count {
        let mut last = 0;
        loop {
            let byte = input.byte()?;
            if (last, byte) == (0xff, 0xd8) {
                break;
            }
            last = byte;
        }
        let mut image = vec![0xff, 0xd8];
        while !image.ends_with(&[0xff, 0xd9]) {
            image.push(input.byte()?);
            if image.len() > MAX_IMAGE_LENGTH {
                return Err(format!("no FF D9 within {MAX_IMAGE_LENGTH} bytes"));
            }
        }
        images.push(image);
    }
    Ok(images)
}
