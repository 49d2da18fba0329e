use super::*;

const A: &[u8] = include_bytes!("../../tests/fixtures/420-optimal-33x17.jpg");
const B: &[u8] = include_bytes!("../../tests/fixtures/progressive-17x9.jpg");

/// Reads a stream that arrives in pieces of this length. Returns the bodies of its parts.
fn read(boundary: Option<&str>, stream: &[u8], piece: usize) -> Result<Vec<Vec<u8>>, MultipartError> {
    let mut parser = Parser::new(boundary);
    let mut parts = Vec::new();
    for piece in stream.chunks(piece) {
        parser.push(piece);
        while let Some(part) = parser.next_part()? {
            parts.push(part.body.to_vec());
        }
    }
    Ok(parts)
}

/// Concatenates text and images.
fn stream(pieces: &[&[u8]]) -> Vec<u8> {
    pieces.concat()
}

fn headed(head: &str, image: &[u8]) -> Vec<u8> {
    stream(&[head.replace("LENGTH", &image.len().to_string()).as_bytes(), image])
}

/// Checks that a stream has the images A, B and A, whatever the pieces that it arrives in.
#[track_caller]
fn has_three_images(boundary: Option<&str>, stream: &[u8]) {
    for piece in (1..40).chain([100, 500, 1000, stream.len()]) {
        let parts = read(boundary, stream, piece).unwrap();
        assert_eq!(parts.len(), 3, "{} parts in pieces of {piece}", parts.len());
        for (part, image) in parts.iter().zip([A, B, A]) {
            assert!(part.starts_with(image), "in pieces of {piece}");
            assert!(part.get(image.len()..).unwrap().trim_ascii().is_empty(), "in pieces of {piece}");
        }
    }
}

/// Builds a stream of A, B and A.
fn three(opening: &str, head: &str, delimiter: &str) -> Vec<u8> {
    let mut bytes = opening.as_bytes().to_vec();
    for image in [A, B, A] {
        bytes.extend(headed(head, image));
        bytes.extend_from_slice(delimiter.as_bytes());
    }
    bytes
}

const HEAD: &str = "Content-Type: image/jpeg\r\nContent-Length: LENGTH\r\n\r\n";
const NO_LENGTH: &str = "Content-Type: image/jpeg\r\n\r\n";

#[test]
fn parts_with_and_without_lengths_are_read() {
    for head in [HEAD, NO_LENGTH, "\r\n", ""] {
        has_three_images(Some("frame"), &three("--frame\r\n", head, "\r\n--frame\r\n"));
        has_three_images(Some("frame"), &three("--frame\n", &head.replace('\r', ""), "\n--frame\n"));
    }
    let upper_case = "CONTENT-TYPE: image/jpeg\r\ncontent-LENGTH:LENGTH\r\n\r\n";
    has_three_images(Some("frame"), &three("--frame\r\n", upper_case, "\r\n--frame\r\n"));
}

#[test]
fn the_declared_boundary_may_be_in_any_form() {
    for boundary in [Some("frame"), Some("--frame"), Some("----frame"), Some("other"), Some("--"), Some(""), None] {
        for dashes in ["--", "----"] {
            let delimiter = format!("\r\n{dashes}frame\r\n");
            has_three_images(boundary, &three(delimiter.trim_start(), HEAD, &delimiter));
            has_three_images(boundary, &three(&delimiter, NO_LENGTH, &delimiter));
        }
    }
    assert_eq!(declared_boundary("multipart/x-mixed-replace; boundary=\"frame\""), Some("frame"));
    assert_eq!(declared_boundary("multipart/x-mixed-replace;charset=x; Boundary = --frame"), Some("--frame"));
    assert_eq!(declared_boundary("multipart/x-mixed-replace"), None);
}

#[test]
fn text_before_the_first_delimiter_is_skipped() {
    has_three_images(Some("frame"), &three("a preamble\r\n--frame\r\n", HEAD, "\r\n--frame\r\n"));
    has_three_images(None, &three("a preamble\r\n--frame\r\n", HEAD, "\r\n--frame\r\n"));
    has_three_images(Some("frame"), &three("\r\n\r\n--frame\r\n", HEAD, "\r\n--frame\r\n"));
}

#[test]
fn the_first_delimiter_and_line_breaks_after_images_may_be_missing() {
    has_three_images(Some("frame"), &three("", HEAD, "\r\n--frame\r\n"));
    has_three_images(None, &three("", NO_LENGTH, "\r\n--frame\r\n"));
    has_three_images(Some("frame"), &three("--frame\r\n", HEAD, "--frame\r\n"));
    has_three_images(Some("frame"), &three("--frame\r\n", NO_LENGTH, "--frame\r\n"));
}

#[test]
fn wrong_lengths_are_detected_and_ignored() {
    for wrong in ["0", "1", "100", "2000", "20000", "99999999999", "-1", "x"] {
        let head = HEAD.replace("LENGTH", wrong);
        has_three_images(Some("frame"), &three("--frame\r\n", &head, "\r\n--frame\r\n"));
    }
    for difference in [-20_i64, -2, -1, 1, 2, 3, 20] {
        let mut bytes = b"--frame\r\n".to_vec();
        for image in [A, B, A] {
            let length = i64::try_from(image.len()).unwrap() + difference;
            bytes.extend(headed(&HEAD.replace("LENGTH", &length.to_string()), image));
            bytes.extend_from_slice(b"\r\n--frame\r\n");
        }
        has_three_images(Some("frame"), &bytes);
    }
}

#[test]
fn an_image_is_complete_before_the_next_delimiter_arrives() {
    for head in [HEAD, NO_LENGTH] {
        let mut parser = Parser::new(Some("frame"));
        parser.push(b"--frame\r\n");
        for image in [A, B] {
            parser.push(&headed(head, image));
            assert_eq!(parser.next_part().unwrap().unwrap().body, image);
            assert_eq!(parser.next_part(), Ok(None));
            parser.push(b"\r\n--frame\r\n");
            assert_eq!(parser.next_part(), Ok(None));
        }
    }
}

#[test]
fn the_boundary_inside_an_image_does_not_end_it() {
    let comment = b"\xFF\xFE\x00\x0E\r\n--frame\r\nx";
    let image = stream(&[&A[..2], comment, &A[2..]]);
    let mut bytes = b"--frame\r\n".to_vec();
    for _ in 0..2 {
        bytes.extend(headed(HEAD, &image));
        bytes.extend_from_slice(b"\r\n--frame\r\n");
    }
    for piece in 1..50 {
        assert_eq!(read(Some("frame"), &bytes, piece).unwrap(), [&image[..], &image], "pieces of {piece}");
    }
}

#[test]
fn a_truncated_image_costs_only_its_own_part() {
    let truncated = &A[..A.len() - 100];
    for head in [HEAD, NO_LENGTH, "Content-Length: 726\r\n\r\n"] {
        let mut bytes = b"--frame\r\n".to_vec();
        for image in [A, truncated, B] {
            let head = if image == truncated { head } else { HEAD };
            bytes.extend(headed(head, image));
            bytes.extend_from_slice(b"\r\n--frame\r\n");
        }
        for piece in [1, 7, 100, bytes.len()] {
            let parts = read(Some("frame"), &bytes, piece).unwrap();
            assert!(parts.iter().any(|part| part == B), "{head}: {} parts in pieces of {piece}", parts.len());
            assert_eq!(parts.first().map(Vec::as_slice), Some(A));
        }
    }
}

#[test]
fn the_closing_delimiter_ends_the_stream() {
    for padding in ["", "\r\n", "Content-Type: image/jpeg\r\n\r\n\r\n"] {
        let mut parser = Parser::new(Some("frame"));
        parser.push(&three("--frame\r\n", HEAD, "\r\n--frame\r\n"));
        parser.push(padding.as_bytes());
        parser.push(b"--frame--\r\n");
        let mut parts = 0;
        while parser.next_part().unwrap().is_some() {
            parts += 1;
        }
        assert_eq!(parts, 3, "{padding:?}");
        assert!(parser.has_ended(), "{padding:?}");
    }
}

#[test]
fn headers_are_available_in_any_case() {
    let mut parser = Parser::new(Some("frame"));
    parser.push(&headed("--frame\r\nX-TIMESTAMP:  1.5 \r\nno colon\r\nX-Sequence: 7\r\n\r\n", A));
    let part = parser.next_part().unwrap().unwrap();
    assert_eq!(part.headers.get("x-timestamp"), Some("1.5"));
    assert_eq!(part.headers.get("X-Sequence"), Some("7"));
    assert_eq!(part.headers.get("Content-Length"), None);
}

#[test]
fn endless_parts_of_a_stream_are_errors() {
    let endless = |start: &str, filling: &[u8]| {
        let mut parser = Parser::new(Some("frame"));
        parser.push(start.as_bytes());
        let mut pushed = 0;
        loop {
            match parser.next_part() {
                Ok(None) => {}
                Ok(Some(_)) => panic!("{start:?} is a part"),
                Err(error) => return error,
            }
            parser.push(&filling.repeat(20_000 / filling.len()));
            pushed += 20_000;
            assert!(pushed < MAX_PART_LENGTH + 1_000_000, "no error");
        }
    };
    assert_eq!(endless("", b"x"), MultipartError::NoDelimiter);
    assert_eq!(endless("--frame\r\n", b"x"), MultipartError::HeadTooLong);
    assert_eq!(endless("--frame\r\n", b"X-Header: 1\r\n"), MultipartError::HeadTooLong);
    assert_eq!(endless("--frame\r\n\r\n", b"x"), MultipartError::PartTooLong);
    assert_eq!(endless("--frame\r\n\r\n", b"\xFF\xD9"), MultipartError::PartTooLong);
    assert_eq!(endless("--frame\r\n\r\nx", b"\n--frames\n"), MultipartError::PartTooLong);
}

/// A sender of small pieces must not make the parser examine the same bytes for each of them.
#[test]
fn hostile_parts_are_examined_a_bounded_number_of_times() {
    const LENGTH: usize = 1 << 20;
    const PIECE: usize = 64;
    /// A part is checked again when it has grown by a sixteenth, and at up to nine delimiters within it, of which the
    /// next parts have eight.
    const MAX_FACTOR: usize = 9 * 9 + 16;
    let announced = format!("--frame\r\nContent-Length: {LENGTH}\r\n\r\n").into_bytes();
    let unannounced = b"--frame\r\n\r\n".to_vec();
    let noise: Vec<u8> = (0..LENGTH).map(|index| (index % 251) as u8).collect();
    for (name, stream) in [
        ("white space without end", stream(&[&unannounced, &b" ".repeat(LENGTH)])),
        ("ends of images", stream(&[&unannounced, &b"\xFF\xD9".repeat(LENGTH / 2)])),
        ("ends of images before white space", stream(&[&unannounced, &b"\xFF\xD9 ".repeat(LENGTH / 3)])),
        ("white space after the announced length", stream(&[&announced, &noise, &b" ".repeat(1 << 16)])),
        ("dashes after the announced length", stream(&[&announced, &noise, &b"-".repeat(1 << 16)])),
        (
            "a delimiter with too many dashes",
            stream(&[&unannounced, &b"-".repeat(LENGTH), b"frame", &b" ".repeat(250)]),
        ),
        ("delimiters within the announced length", b"--frame\r\nContent-Length: 99999\r\n\r\n".repeat(LENGTH / 36)),
        ("starts of images", stream(&[&announced, &b"\xFF\xD8\xFF".repeat(LENGTH / 3)])),
    ] {
        examined::take_examined();
        // Whether it is refused does not matter here.
        let _ = read(Some("frame"), &stream, PIECE);
        let examined = examined::take_examined();
        assert!(examined < MAX_FACTOR * stream.len(), "{name}: {examined} bytes of {}", stream.len());
    }
}

/// All of them were parsed again for each byte, which kept a processor busy at 50 kB/s.
#[test]
fn headers_that_arrive_in_single_bytes_are_examined_a_few_times() {
    let stream = stream(&[b"--frame\r\n", &b"a:b\n".repeat(2000), b"\nbody"]);
    examined::take_examined();
    let _ = read(Some("frame"), &stream, 1);
    let examined = examined::take_examined();
    assert!(examined < 8 * stream.len(), "{examined} bytes of {}", stream.len());
}
