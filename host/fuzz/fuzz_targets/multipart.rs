//! The parser of other servers' streams, with any bytes in pieces of any length.
#![no_main]

use hotshoe_camera::multipart::{MAX_PART_LENGTH, Parser, declared_boundary};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

const PICTURE: &[u8] = include_bytes!("../../crates/camera/tests/fixtures/420-optimal-33x17.jpg");

#[derive(Arbitrary, Debug)]
enum Piece<'a> {
    Bytes(&'a [u8]),
    Delimiter {
        is_closing: bool,
    },
    Head {
        length: i16,
    },
    /// The start of a picture.
    Picture(u16),
}

#[derive(Arbitrary, Debug)]
struct Scenario<'a> {
    content_type: Option<&'a str>,
    pieces: Vec<Piece<'a>>,
}

fuzz_target!(|scenario: Scenario| {
    let boundary = scenario.content_type.map_or(Some("frame"), declared_boundary);
    let mut parser = Parser::new(boundary);
    let mut pushed = 0;
    let mut returned = 0;
    for piece in scenario.pieces {
        let bytes = match piece {
            Piece::Bytes(bytes) => bytes.to_vec(),
            Piece::Delimiter { is_closing } => format!("\r\n--frame{}\r\n", if is_closing { "--" } else { "" }).into(),
            Piece::Head { length } => {
                format!("Content-Length: {}\r\n\r\n", PICTURE.len() as i64 + i64::from(length)).into()
            }
            Piece::Picture(length) => PICTURE[..PICTURE.len().min(length.into())].to_vec(),
        };
        pushed += bytes.len();
        parser.push(&bytes);
        loop {
            match parser.next_part() {
                Ok(Some(part)) => {
                    assert!(part.body.len() <= MAX_PART_LENGTH + bytes.len());
                    returned += part.body.len();
                    assert!(returned <= pushed, "more bytes than were pushed");
                }
                Ok(None) => break,
                Err(error) => return assert!(!error.to_string().is_empty()),
            }
        }
    }
});
