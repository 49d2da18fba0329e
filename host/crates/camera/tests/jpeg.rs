//! Images of several encoders, whole and damaged, through the three steps.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what is wrong by panicking")]

use hotshoe_camera::dimensions::Dimensions;
use hotshoe_camera::jpeg::{
    ImageInfo, JpegError, MIN_LENGTH, Options, ScanChecker, check_scan, copy_complete, find_image, validate,
};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;

const PICTURE: &[u8] = include_bytes!("../../../../frames/1.jpg");
const OPTIMAL: &[u8] = include_bytes!("fixtures/420-optimal-33x17.jpg");
const STANDARD: &[u8] = include_bytes!("fixtures/444-standard-33x17.jpg");
const RESTART: &[u8] = include_bytes!("fixtures/restart-611x333.jpg");
const PROGRESSIVE: &[u8] = include_bytes!("fixtures/progressive-17x9.jpg");
const ARITHMETIC: &[u8] = include_bytes!("fixtures/arithmetic-17x9.jpg");

/// What the check of data is made for.
const PLAIN: [&[u8]; 8] = [
    PICTURE,
    OPTIMAL,
    STANDARD,
    RESTART,
    include_bytes!("fixtures/422-standard-15x100.jpg"),
    include_bytes!("fixtures/grey-33x17.jpg"),
    include_bytes!("fixtures/grey-2x2-17x9.jpg"),
    include_bytes!("fixtures/one-pixel.jpg"),
];

const TRUNCATED: Options = Options { allow_truncated: true };

fn found(bytes: &[u8]) -> ImageInfo {
    validate(bytes, Options::default()).unwrap()
}

/// Both checks.
fn check(bytes: &[u8]) -> Result<(), JpegError> {
    check_scan(bytes, &validate(bytes, Options::default())?)
}

/// The places of the segments before the data: where each begins and ends, and its marker.
fn segments(image: &[u8]) -> Vec<(usize, usize, u8)> {
    let (mut all, mut position) = (Vec::new(), 2);
    while all.last().is_none_or(|(_, _, marker)| *marker != 0xDA) {
        let end = position + 2 + usize::from(u16::from_be_bytes([image[position + 2], image[position + 3]]));
        all.push((position, end, image[position + 1]));
        position = end;
    }
    all
}

/// Where the segment with this marker begins.
fn segment(image: &[u8], marker: u8) -> usize {
    segments(image).into_iter().find(|segment| segment.2 == marker).unwrap().0
}

/// The image without its Huffman tables.
fn strip_tables(image: &[u8]) -> Vec<u8> {
    let mut stripped = image.to_vec();
    for (start, end, _) in segments(image).into_iter().rev().filter(|segment| segment.2 == 0xC4) {
        stripped.drain(start..end);
    }
    stripped
}

fn pixels(image: &[u8]) -> Vec<u8> {
    JpegDecoder::new(ZCursor::new(image)).decode().unwrap()
}

#[test]
fn whole_images_of_all_encoders_pass() {
    let mut checker = ScanChecker::default();
    for image in PLAIN {
        let whole = found(image);
        assert_eq!(whole.length, image.len());
        assert!(whole.headers.plain && whole.is_complete());
        // One checker for all, as if the camera changed its tables.
        assert_eq!(checker.check(image, &whole), Ok(()), "{:?}", whole.dimensions);
    }
}

#[test]
fn images_that_no_camera_sends_pass_unchecked() {
    for image in [PROGRESSIVE, ARITHMETIC] {
        let whole = found(image);
        assert_eq!(whole.dimensions, Dimensions { width: 17, height: 9 });
        assert!(!whole.headers.plain && whole.is_complete());
        assert_eq!(check_scan(image, &whole), Ok(()));
    }
}

#[test]
fn whatever_follows_the_end_is_not_part_of_the_image() {
    for image in PLAIN {
        for padding in [&[0; 100][..], &[0xFF; 100], &image[image.len() / 2..], &[&image[50..], &[0; 50]].concat()] {
            let padded = [image, padding].concat();
            assert_eq!(found(&padded).length, image.len());
            assert_eq!(check(&padded), Ok(()));
            assert_eq!(copy_complete(&padded, &found(&padded)), image);
        }
    }
}

/// What a phone appends to a picture: a table of its own, or another picture.
fn trailers() -> Vec<Vec<u8>> {
    let table = [&[0, 0, 1, 10, 14, 0, 0, 0][..], b"Image_UTC_Data1700000000000SEFHSEFT"].concat();
    vec![table.clone(), [PICTURE, &table].concat(), vec![0; 100], vec![0xFF; 100], vec![0xFF, 0xD9], vec![0xFF]]
}

#[test]
fn whatever_follows_an_image_of_several_scans_is_not_part_of_it() {
    for image in [PROGRESSIVE, ARITHMETIC] {
        for trailer in trailers() {
            let bytes = [image, &trailer].concat();
            let whole = found(&bytes);
            assert_eq!(whole.length, image.len(), "{trailer:x?}");
            assert_eq!(copy_complete(&bytes, &whole), image);
        }
    }
}

#[test]
fn an_image_of_several_scans_cut_anywhere_is_refused() {
    for image in [PROGRESSIVE, ARITHMETIC] {
        for length in 0..image.len() {
            assert!(validate(&image[..length], Options::default()).is_err(), "cut at {length}");
        }
    }
}

#[test]
fn an_end_marker_inside_a_segment_between_scans_does_not_count() {
    let end = PROGRESSIVE.len() - 2;
    let comment = [0xFF, 0xFE, 0, 6, 0xFF, 0xD9, 0xFF, 0xD9];
    let commented = [&PROGRESSIVE[..end], &comment, &PROGRESSIVE[end..], b"SEFT"].concat();
    assert_eq!(found(&commented).length, PROGRESSIVE.len() + comment.len());
}

/// The image that is found in a buffer.
fn located(buffer: &[u8]) -> Result<Vec<u8>, JpegError> {
    find_image(buffer, Options::default()).map(|(image, whole)| copy_complete(image, &whole).to_vec())
}

#[test]
fn an_image_that_starts_late_is_found() {
    for garbage in [
        &[0][..],
        &[0; 64],
        &[0xFF; 7],
        b"\xFF\xD8",
        b"\xFF\xD8\xFF",
        &[0xFF, 0xD8, 0xFF, 0xE0, 0, 16],
        &PICTURE[..700],
    ] {
        for image in [PICTURE, RESTART, PROGRESSIVE] {
            let buffer = [garbage, image, &[0; 100]].concat();
            assert_eq!(located(&buffer).as_deref(), Ok(image), "after {} bytes", garbage.len());
        }
    }
}

#[test]
fn of_an_image_that_starts_twice_the_second_start_is_taken() {
    for partial in [200, 600, 700, 1000, PICTURE.len() / 2, PICTURE.len() - 3, PICTURE.len() - 2] {
        for image in [PICTURE, RESTART, OPTIMAL] {
            let buffer = [&PICTURE[..partial], image].concat();
            assert_eq!(located(&buffer).as_deref(), Ok(image), "after {partial} bytes");
            let thrice = [&PICTURE[..partial], &STANDARD[..STANDARD.len() - 2], image].concat();
            assert_eq!(located(&thrice).as_deref(), Ok(image), "after {partial} bytes, and again");
        }
    }
    // The second one is cut off: the first is no better, but it is what was always taken, and its data tell.
    let both_cut = [&PICTURE[..PICTURE.len() / 2], &PICTURE[..PICTURE.len() / 2]].concat();
    assert_eq!(located(&both_cut), Err(JpegError::MissingEoi));
}

#[test]
fn a_thumbnail_is_not_taken_for_the_image_nor_what_follows_it() {
    let length = u16::try_from(OPTIMAL.len() + 2).unwrap().to_be_bytes();
    let with_thumbnail = [&PICTURE[..2], &[0xFF, 0xE1], &length, OPTIMAL, &PICTURE[2..]].concat();
    assert_eq!(located(&with_thumbnail), Ok(with_thumbnail.clone()));
    let late = [b"late", &with_thumbnail[..], RESTART].concat();
    assert_eq!(located(&late), Ok(with_thumbnail));
    // Nor where the data of the image are damaged so that they seem to begin another one.
    let mut damaged = PICTURE.to_vec();
    damaged[10_000..10_003].copy_from_slice(&[0xFF, 0xD8, 0xFF]);
    assert_eq!(located(&[&damaged[..], RESTART].concat()), Ok(damaged));
}

#[test]
fn a_buffer_without_an_image_has_the_reason() {
    assert_eq!(located(b""), Err(JpegError::Empty));
    assert_eq!(located(&[0; 1000]), Err(JpegError::MissingSoi));
    assert_eq!(located(b"\x89PNG\r\n\x1a\n"), Err(JpegError::MissingSoi));
    assert_eq!(located(&PICTURE[..5000]), Err(JpegError::MissingEoi));
    assert_eq!(located(&[b"late", &PICTURE[..5000]].concat()), Err(JpegError::MissingEoi));
    // Nothing but starts, which costs no more than a few.
    assert!(located(&[0xFF, 0xD8, 0xFF].repeat(300_000)).is_err());
}

#[test]
fn standard_tables_put_in_give_the_same_picture() {
    for image in [PICTURE, STANDARD, PLAIN[4], PLAIN[5]] {
        let stripped = strip_tables(image);
        assert!(stripped.len() < image.len());
        let whole = found(&stripped);
        assert!(whole.lacks_tables && !whole.is_complete());
        assert_eq!(check_scan(&stripped, &whole), Ok(()));
        let copy = copy_complete(&stripped, &whole);
        assert_eq!(copy.len(), stripped.len() + 420);
        assert_eq!(found(&copy).length, copy.len());
        assert!(found(&copy).is_complete());
        assert_eq!(pixels(&copy), pixels(image));
    }
}

#[test]
fn tables_of_the_image_override_those_put_in() {
    // The last of its tables, an AC table, is in a segment of its own.
    let tables: Vec<_> = segments(PICTURE).into_iter().filter(|segment| segment.2 == 0xC4).collect();
    assert_eq!(tables.len(), 4);
    let mut partly = PICTURE.to_vec();
    partly.drain(tables[3].0..tables[3].1);
    let whole = found(&partly);
    assert!(whole.lacks_tables);
    assert_eq!(check_scan(&partly, &whole), Ok(()));
    assert_eq!(pixels(&copy_complete(&partly, &whole)), pixels(PICTURE));
}

#[test]
fn a_table_without_a_standard_is_missed() {
    let mut image = strip_tables(STANDARD);
    let scan = segment(&image, 0xDA);
    image[scan + 6] = 0x22;
    assert_eq!(validate(&image, Options::default()), Err(JpegError::MissingHuffmanTable));
}

#[test]
fn an_image_without_an_end_is_taken_if_allowed_and_gets_one() {
    for image in PLAIN {
        for padding in [0, 100] {
            let endless = [&image[..image.len() - 2], &vec![0; padding]].concat();
            assert_eq!(validate(&endless, Options::default()), Err(JpegError::MissingEoi));
            let whole = validate(&endless, TRUNCATED).unwrap();
            assert!(whole.lacks_end);
            assert_eq!(check_scan(&endless, &whole), Ok(()));
            let copy = copy_complete(&endless, &whole);
            assert!(found(&copy).is_complete());
            assert_eq!(pixels(&copy), pixels(image));
        }
    }
}

#[test]
fn an_image_cut_anywhere_is_refused() {
    for length in 0..PICTURE.len() {
        let cut = &PICTURE[..length];
        assert!(validate(cut, Options::default()).is_err(), "cut at {length}");
        // Without the end marker only the data can tell.
        if length < PICTURE.len() - 8 && (length < 1000 || length % 97 == 0) {
            assert!(validate(cut, TRUNCATED).and_then(|whole| check_scan(cut, &whole)).is_err(), "cut at {length}");
        }
    }
}

#[test]
fn other_formats_are_refused() {
    let validate = |bytes| validate(bytes, Options::default());
    assert_eq!(validate(b""), Err(JpegError::Empty));
    assert_eq!(validate(b"\x89PNG\r\n\x1a\n"), Err(JpegError::MissingSoi));
    assert_eq!(validate(&[0; 64]), Err(JpegError::MissingSoi));
    assert_eq!(validate(b"\xFF\xD8\xFF\xD9"), Err(JpegError::TooShort));
    let tiny = [b"\xFF\xD8\xFF\xD9".as_slice(), &[0; MIN_LENGTH]].concat();
    assert_eq!(validate(&tiny), Err(JpegError::InvalidHeaders));
}

#[test]
fn padding_made_an_image_long_enough() {
    // A start marker, a frame header, a scan header and a byte of data. Found by fuzzing.
    let frame = [0xFF, 0xD8, 0xFF, 0xC9, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0];
    let tiny = [&frame[..], &[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 1]].concat();
    let padded = [&tiny[..], &[0; 100]].concat();
    assert_eq!(validate(&padded, TRUNCATED), Err(JpegError::TooShort));
    let ended = [&tiny[..], &[0xFF, 0xD9], &[0; 100]].concat();
    assert_eq!(validate(&ended, TRUNCATED), Err(JpegError::TooShort));
    assert_eq!(validate(&ended, Options::default()), Err(JpegError::TooShort));
}

#[test]
fn an_end_marker_inside_the_headers_does_not_count() {
    let mut headers_only = PICTURE[..segment(PICTURE, 0xDA)].to_vec();
    headers_only.extend([0xFF, 0xD9]);
    assert!(validate(&headers_only, TRUNCATED).is_err());
}

#[test]
fn damage_in_the_middle_is_found() {
    let middle = PICTURE.len() / 2;
    let mut overwritten = PICTURE.to_vec();
    overwritten[middle..].iter_mut().take(64).enumerate().for_each(|(i, byte)| *byte ^= (0x5a + i * 7) as u8);
    assert!(check(&overwritten).is_err());
    let packet_lost = [&PICTURE[..middle], &PICTURE[middle + 188..]].concat();
    assert!(check(&packet_lost).is_err());
    let mut zeroed = PICTURE.to_vec();
    zeroed[middle..middle + 3000].fill(0);
    assert!(check(&zeroed).is_err());
}

#[test]
fn an_image_with_blocks_too_few_or_too_many_is_refused() {
    let place = segment(PICTURE, 0xC0) + 5;
    for (height, reason) in [(480 + 16, JpegError::MissingData), (480 - 16, JpegError::ExcessData)] {
        let mut image = PICTURE.to_vec();
        image[place..place + 2].copy_from_slice(&u16::to_be_bytes(height));
        assert_eq!(check(&image), Err(reason));
    }
}

#[test]
fn restart_markers_must_be_in_order() {
    let data = found(RESTART).headers.data_at;
    let markers: Vec<usize> = (data..RESTART.len() - 2)
        .filter(|place| RESTART[*place] == 0xFF && matches!(RESTART[place + 1], 0xD0..=0xD7))
        .collect();
    assert!(markers.len() > 8);
    for place in &markers {
        let mut image = RESTART.to_vec();
        image[place + 1] ^= 1;
        assert_eq!(check(&image), Err(JpegError::InvalidRestart));
    }
    let interval_lost = [&RESTART[..markers[3]], &RESTART[markers[4]..]].concat();
    assert_eq!(check(&interval_lost), Err(JpegError::InvalidRestart));
    let eight_lost = [&RESTART[..markers[0]], &RESTART[markers[8]..]].concat();
    assert_eq!(check(&eight_lost), Err(JpegError::InvalidRestart));
}

#[test]
fn a_few_bytes_before_the_end_are_tolerated() {
    let padded = |count| [&PICTURE[..PICTURE.len() - 2], &vec![0x55; count], &[0xFF, 0xD9]].concat();
    assert_eq!(check(&padded(4)), Ok(()));
    assert_eq!(check(&padded(5)), Err(JpegError::ExcessData));
    // Fill bytes before a marker are no data (B.1.1.2).
    assert_eq!(check(&[&PICTURE[..PICTURE.len() - 2], &[0xFF; 50], &[0xFF, 0xD9]].concat()), Ok(()));
}

#[test]
fn a_picture_that_claims_to_be_huge_costs_no_time() {
    let mut image = STANDARD.to_vec();
    let place = segment(&image, 0xC0) + 5;
    image[place..place + 4].fill(0xFF);
    assert!(check(&image).is_err());
}

#[test]
fn no_bytes_make_it_panic() {
    let mut checker = ScanChecker::default();
    let mut run = |bytes: &[u8]| {
        for options in [Options::default(), TRUNCATED] {
            if let Ok(whole) = validate(bytes, options) {
                let _ = checker.check(bytes, &whole);
                assert!(validate(&copy_complete(bytes, &whole), Options::default()).unwrap().is_complete());
            }
        }
    };
    // Every byte replaced by the values that mean something.
    for image in [OPTIMAL, &strip_tables(STANDARD), PLAIN[6]] {
        for index in 0..image.len() {
            for value in [0x00, 0x01, 0x02, 0x7F, 0xC0, 0xC4, 0xD0, 0xD8, 0xD9, 0xDA, 0xDD, 0xFF] {
                let mut mutated = image.to_vec();
                mutated[index] = value;
                run(&mutated);
                run(&mutated[..image.len() - index % 40]);
            }
        }
    }
    // What was found in other bytes.
    let whole = found(PICTURE);
    for other in [&PICTURE[..100], b"", OPTIMAL] {
        let _ = check_scan(other, &whole);
        let _ = copy_complete(other, &whole);
    }
}
