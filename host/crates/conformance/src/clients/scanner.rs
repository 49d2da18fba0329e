//! Home Assistant's still picture, and many small scripts: all from FF D8 to the first FF D9. Nothing else of the
//! stream is looked at. A picture with another one inside is cut short: that is the client's fault.

use crate::http::{Input, Response};

/// More than any picture.
const FARTHEST: usize = 64 * 1024 * 1024;

pub(crate) fn read(response: Response, count: usize) -> Result<Vec<Vec<u8>>, String> {
    let mut input = Input::new(response.body);
    let mut pictures = Vec::new();
    while pictures.len() < count {
        let mut last = 0;
        loop {
            let byte = input.byte()?;
            if (last, byte) == (0xff, 0xd8) {
                break;
            }
            last = byte;
        }
        let mut picture = vec![0xff, 0xd8];
        while !picture.ends_with(&[0xff, 0xd9]) {
            picture.push(input.byte()?);
            if picture.len() > FARTHEST {
                return Err("no FF D9 comes".into());
            }
        }
        pictures.push(picture);
    }
    Ok(pictures)
}
