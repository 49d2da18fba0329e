//! Complete and damaged images from several encoders, through all steps of validation.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use hotshoe_camera::dimensions::Dimensions;
use hotshoe_camera::jpeg::{
    ImageInfo, JpegError, MIN_LENGTH, Options, ScanChecker, check_scan, copy_complete, copy_turned, find_image,
    validate,
};
use hotshoe_camera::{Orientation, Rotation};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;

const PICTURE: &[u8] = include_bytes!("../../../../frames/1.jpg");
const OPTIMAL: &[u8] = include_bytes!("fixtures/420-optimal-33x17.jpg");
const STANDARD: &[u8] = include_bytes!("fixtures/444-standard-33x17.jpg");
const RESTART: &[u8] = include_bytes!("fixtures/restart-611x333.jpg");
const PROGRESSIVE: &[u8] = include_bytes!("fixtures/progressive-17x9.jpg");
const ARITHMETIC: &[u8] = include_bytes!("fixtures/arithmetic-17x9.jpg");

/// Images whose data are checked.
const SINGLE_SCAN: [&[u8]; 8] = [
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

fn info_of(bytes: &[u8]) -> ImageInfo {
    validate(bytes, Options::default()).unwrap()
}

/// Checks structure and data.
fn check(bytes: &[u8]) -> Result<(), JpegError> {
    check_scan(bytes, &validate(bytes, Options::default())?)
}

/// The start, end and marker of each segment before the data.
fn segments(image: &[u8]) -> Vec<(usize, usize, u8)> {
    let (mut all, mut position) = (Vec::new(), 2);
    while all.last().is_none_or(|(_, _, marker)| *marker != 0xDA) {
        let end = position + 2 + usize::from(u16::from_be_bytes([image[position + 2], image[position + 3]]));
        all.push((position, end, image[position + 1]));
        position = end;
    }
    all
}

/// The start of the segment with this marker.
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
fn complete_images_from_all_encoders_are_accepted() {
    let mut checker = ScanChecker::default();
    for image in SINGLE_SCAN {
        let info = info_of(image);
        assert_eq!(info.length, image.len());
        assert!(info.headers.single_scan && info.is_complete());
        // A shared checker, as if the camera changed its tables.
        assert_eq!(checker.check(image, &info), Ok(()), "{:?}", info.dimensions);
    }
}

#[test]
fn images_that_no_camera_sends_are_accepted_unchecked() {
    for image in [PROGRESSIVE, ARITHMETIC] {
        let info = info_of(image);
        assert_eq!(info.dimensions, Dimensions { width: 17, height: 9 });
        assert!(!info.headers.single_scan && info.is_complete());
        assert_eq!(check_scan(image, &info), Ok(()));
    }
}

#[test]
fn bytes_after_the_end_marker_are_ignored() {
    for image in SINGLE_SCAN {
        for padding in [&[0; 100][..], &[0xFF; 100], &image[image.len() / 2..], &[&image[50..], &[0; 50]].concat()] {
            let padded = [image, padding].concat();
            assert_eq!(info_of(&padded).length, image.len());
            assert_eq!(check(&padded), Ok(()));
            assert_eq!(copy_complete(&padded, &info_of(&padded)), image);
        }
    }
}

/// What phones append to a picture: a table or another picture. And padding.
fn trailers() -> Vec<Vec<u8>> {
    let table = [&[0, 0, 1, 10, 14, 0, 0, 0][..], b"Image_UTC_Data1700000000000SEFHSEFT"].concat();
    vec![table.clone(), [PICTURE, &table].concat(), vec![0; 100], vec![0xFF; 100], vec![0xFF, 0xD9], vec![0xFF]]
}

#[test]
fn bytes_after_an_image_of_several_scans_are_ignored() {
    for image in [PROGRESSIVE, ARITHMETIC] {
        for trailer in trailers() {
            let bytes = [image, &trailer].concat();
            let info = info_of(&bytes);
            assert_eq!(info.length, image.len(), "{trailer:x?}");
            assert_eq!(copy_complete(&bytes, &info), image);
        }
    }
}

#[test]
fn a_truncated_image_of_several_scans_is_rejected() {
    for image in [PROGRESSIVE, ARITHMETIC] {
        for length in 0..image.len() {
            assert!(validate(&image[..length], Options::default()).is_err(), "cut at {length}");
        }
    }
}

#[test]
fn an_end_marker_inside_a_segment_between_scans_is_ignored() {
    let end = PROGRESSIVE.len() - 2;
    let comment = [0xFF, 0xFE, 0, 6, 0xFF, 0xD9, 0xFF, 0xD9];
    let commented = [&PROGRESSIVE[..end], &comment, &PROGRESSIVE[end..], b"SEFT"].concat();
    assert_eq!(info_of(&commented).length, PROGRESSIVE.len() + comment.len());
}

/// The image found in a buffer.
fn located(buffer: &[u8]) -> Result<Vec<u8>, JpegError> {
    find_image(buffer, Options::default()).map(|(image, info)| copy_complete(image, &info).to_vec())
}

#[test]
fn an_image_after_stray_bytes_is_found() {
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
fn the_last_start_of_an_image_wins() {
    for partial in [200, 600, 700, 1000, PICTURE.len() / 2, PICTURE.len() - 3, PICTURE.len() - 2] {
        for image in [PICTURE, RESTART, OPTIMAL] {
            let buffer = [&PICTURE[..partial], image].concat();
            assert_eq!(located(&buffer).as_deref(), Ok(image), "after {partial} bytes");
            let thrice = [&PICTURE[..partial], &STANDARD[..STANDARD.len() - 2], image].concat();
            assert_eq!(located(&thrice).as_deref(), Ok(image), "after {partial} bytes, and again");
        }
    }
    // The second image is truncated as well.
    let both_cut = [&PICTURE[..PICTURE.len() / 2], &PICTURE[..PICTURE.len() / 2]].concat();
    assert_eq!(located(&both_cut), Err(JpegError::MissingEoi));
}

#[test]
fn neither_a_thumbnail_nor_an_image_after_the_end_is_mistaken_for_the_image() {
    let length = u16::try_from(OPTIMAL.len() + 2).unwrap().to_be_bytes();
    let with_thumbnail = [&PICTURE[..2], &[0xFF, 0xE1], &length, OPTIMAL, &PICTURE[2..]].concat();
    assert_eq!(located(&with_thumbnail), Ok(with_thumbnail.clone()));
    let late = [b"late", &with_thumbnail[..], RESTART].concat();
    assert_eq!(located(&late), Ok(with_thumbnail));
    // Not even if damage in the data looks like the start of another image.
    let mut damaged = PICTURE.to_vec();
    damaged[10_000..10_003].copy_from_slice(&[0xFF, 0xD8, 0xFF]);
    assert_eq!(located(&[&damaged[..], RESTART].concat()), Ok(damaged));
}

#[test]
fn a_buffer_without_an_image_is_rejected_with_the_reason() {
    assert_eq!(located(b""), Err(JpegError::Empty));
    assert_eq!(located(&[0; 1000]), Err(JpegError::MissingSoi));
    assert_eq!(located(b"\x89PNG\r\n\x1a\n"), Err(JpegError::MissingSoi));
    assert_eq!(located(&PICTURE[..5000]), Err(JpegError::MissingEoi));
    assert_eq!(located(&[b"late", &PICTURE[..5000]].concat()), Err(JpegError::MissingEoi));
    // A buffer full of start markers costs no more than a few.
    assert!(located(&[0xFF, 0xD8, 0xFF].repeat(300_000)).is_err());
}

#[test]
fn adding_the_standard_tables_preserves_the_picture() {
    for image in [PICTURE, STANDARD, SINGLE_SCAN[4], SINGLE_SCAN[5]] {
        let stripped = strip_tables(image);
        assert!(stripped.len() < image.len());
        let info = info_of(&stripped);
        assert!(info.lacks_tables && !info.is_complete());
        assert_eq!(check_scan(&stripped, &info), Ok(()));
        let copy = copy_complete(&stripped, &info);
        assert_eq!(copy.len(), stripped.len() + 420);
        assert_eq!(info_of(&copy).length, copy.len());
        assert!(info_of(&copy).is_complete());
        assert_eq!(pixels(&copy), pixels(image));
    }
}

#[test]
fn own_tables_override_added_tables() {
    // The last table, an AC table, has a segment to itself.
    let tables: Vec<_> = segments(PICTURE).into_iter().filter(|segment| segment.2 == 0xC4).collect();
    assert_eq!(tables.len(), 4);
    let mut partly = PICTURE.to_vec();
    partly.drain(tables[3].0..tables[3].1);
    let info = info_of(&partly);
    assert!(info.lacks_tables);
    assert_eq!(check_scan(&partly, &info), Ok(()));
    assert_eq!(pixels(&copy_complete(&partly, &info)), pixels(PICTURE));
}

#[test]
fn a_missing_table_without_a_standard_definition_is_an_error() {
    let mut image = strip_tables(STANDARD);
    let scan = segment(&image, 0xDA);
    image[scan + 6] = 0x22;
    assert_eq!(validate(&image, Options::default()), Err(JpegError::MissingHuffmanTable));
}

#[test]
fn a_missing_end_marker_is_added_if_allowed() {
    for image in SINGLE_SCAN {
        for padding in [0, 100] {
            let endless = [&image[..image.len() - 2], &vec![0; padding]].concat();
            assert_eq!(validate(&endless, Options::default()), Err(JpegError::MissingEoi));
            let info = validate(&endless, TRUNCATED).unwrap();
            assert!(info.lacks_end);
            assert_eq!(check_scan(&endless, &info), Ok(()));
            let copy = copy_complete(&endless, &info);
            assert!(info_of(&copy).is_complete());
            assert_eq!(pixels(&copy), pixels(image));
        }
    }
}

#[test]
fn a_truncated_image_is_rejected() {
    for length in 0..PICTURE.len() {
        let cut = &PICTURE[..length];
        assert!(validate(cut, Options::default()).is_err(), "cut at {length}");
        // If the end marker may be missing, only the data show the truncation.
        if length < PICTURE.len() - 8 && (length < 1000 || length % 97 == 0) {
            assert!(validate(cut, TRUNCATED).and_then(|info| check_scan(cut, &info)).is_err(), "cut at {length}");
        }
    }
}

#[test]
fn other_formats_are_rejected() {
    let validate = |bytes| validate(bytes, Options::default());
    assert_eq!(validate(b""), Err(JpegError::Empty));
    assert_eq!(validate(b"\x89PNG\r\n\x1a\n"), Err(JpegError::MissingSoi));
    assert_eq!(validate(&[0; 64]), Err(JpegError::MissingSoi));
    assert_eq!(validate(b"\xFF\xD8\xFF\xD9"), Err(JpegError::TooShort));
    let tiny = [b"\xFF\xD8\xFF\xD9".as_slice(), &[0; MIN_LENGTH]].concat();
    assert_eq!(validate(&tiny), Err(JpegError::InvalidHeaders));
}

#[test]
fn padding_does_not_make_a_short_image_long_enough() {
    // Start marker, frame header, scan header and one byte of data. Found by fuzzing.
    let frame = [0xFF, 0xD8, 0xFF, 0xC9, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0];
    let tiny = [&frame[..], &[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 1]].concat();
    let padded = [&tiny[..], &[0; 100]].concat();
    assert_eq!(validate(&padded, TRUNCATED), Err(JpegError::TooShort));
    let ended = [&tiny[..], &[0xFF, 0xD9], &[0; 100]].concat();
    assert_eq!(validate(&ended, TRUNCATED), Err(JpegError::TooShort));
    assert_eq!(validate(&ended, Options::default()), Err(JpegError::TooShort));
}

#[test]
fn an_end_marker_right_after_the_headers_is_ignored() {
    let mut headers_only = PICTURE[..segment(PICTURE, 0xDA)].to_vec();
    headers_only.extend([0xFF, 0xD9]);
    assert!(validate(&headers_only, TRUNCATED).is_err());
}

#[test]
fn damage_in_the_middle_is_detected() {
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
fn too_few_or_too_many_blocks_are_rejected() {
    let place = segment(PICTURE, 0xC0) + 5;
    for (height, reason) in [(480 + 16, JpegError::MissingData), (480 - 16, JpegError::ExcessData)] {
        let mut image = PICTURE.to_vec();
        image[place..place + 2].copy_from_slice(&u16::to_be_bytes(height));
        assert_eq!(check(&image), Err(reason));
    }
}

#[test]
fn restart_markers_must_be_in_order() {
    let data = info_of(RESTART).headers.data_offset;
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
fn a_few_unused_bytes_before_the_end_marker_are_accepted() {
    let padded = |count| [&PICTURE[..PICTURE.len() - 2], &vec![0x55; count], &[0xFF, 0xD9]].concat();
    assert_eq!(check(&padded(4)), Ok(()));
    assert_eq!(check(&padded(5)), Err(JpegError::ExcessData));
    // Fill bytes before a marker do not count (B.1.1.2).
    assert_eq!(check(&[&PICTURE[..PICTURE.len() - 2], &[0xFF; 50], &[0xFF, 0xD9]].concat()), Ok(()));
}

#[test]
fn a_false_claim_of_a_huge_picture_is_rejected_quickly() {
    let mut image = STANDARD.to_vec();
    let place = segment(&image, 0xC0) + 5;
    image[place..place + 4].fill(0xFF);
    assert!(check(&image).is_err());
}

#[test]
fn no_input_causes_a_panic() {
    let mut checker = ScanChecker::default();
    let mut run = |bytes: &[u8]| {
        for options in [Options::default(), TRUNCATED] {
            if let Ok(info) = validate(bytes, options) {
                let _ = checker.check(bytes, &info);
                assert!(validate(&copy_complete(bytes, &info), Options::default()).unwrap().is_complete());
            }
        }
    };
    // Every byte, replaced by each value with a meaning.
    for image in [OPTIMAL, &strip_tables(STANDARD), SINGLE_SCAN[6]] {
        for index in 0..image.len() {
            for value in [0x00, 0x01, 0x02, 0x7F, 0xC0, 0xC4, 0xD0, 0xD8, 0xD9, 0xDA, 0xDD, 0xFF] {
                let mut mutated = image.to_vec();
                mutated[index] = value;
                run(&mutated);
                run(&mutated[..image.len() - index % 40]);
            }
        }
    }
    // Information about other bytes.
    let info = info_of(PICTURE);
    for other in [&PICTURE[..100], b"", OPTIMAL] {
        let _ = check_scan(other, &info);
        let _ = copy_complete(other, &info);
    }
}

/// The contents of the EXIF segments of an image.
fn exif_contents(image: &[u8]) -> Vec<Vec<u8>> {
    let contents = segments(image).into_iter().map(|(start, end, marker)| (&image[start + 4..end], marker));
    let exif = contents.filter(|(content, marker)| *marker == 0xE1 && content.starts_with(b"Exif\0\0"));
    exif.map(|(content, _)| content.to_vec()).collect()
}

#[test]
fn an_orientation_is_added_in_place_of_any_exif_data_and_changes_no_pixel() {
    let upright = Orientation::default();
    let turned = Orientation { rotation: Rotation::Quarter, ..upright };
    let exif = |order: &[u8]| [&b"\xFF\xE1\0\x12Exif\0\0"[..], order, b"12345678"].concat();
    let other = b"\xFF\xE1\0\x0Ehttp://ns.ad";
    for picture in [PICTURE, OPTIMAL, STANDARD, RESTART, PROGRESSIVE] {
        let variants = [
            picture.to_vec(),
            [&picture[..2], &exif(b"II"), &picture[2..]].concat(),
            [&picture[..2], other, &exif(b"MM"), b"\xFF", &exif(b"II"), &picture[2..], &[0; 100]].concat(),
        ];
        for variant in variants {
            let info = info_of(&variant);
            let copy = copy_turned(&variant, &info, turned);
            let contents = exif_contents(&copy);
            assert_eq!(contents.len(), 1, "{:?}", &copy[..64]);
            // Big-endian, one entry: the orientation.
            assert_eq!(contents[0][6..], *b"MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0");
            assert_eq!(copy[..4], [0xFF, 0xD8, 0xFF, 0xE1]);
            let again = info_of(&copy);
            assert!(again.is_complete() && again.length == copy.len() && again.dimensions == info.dimensions);
            // Everything else is unchanged.
            assert!(copy.ends_with(&picture[2..]), "{:?}", &copy[..64]);
            let unchanged = copy_turned(&variant, &info, upright);
            assert_eq!(unchanged, variant[..info.length]);
        }
    }
}

#[test]
fn an_orientation_and_missing_tables_are_added_together() {
    let stripped = strip_tables(PICTURE);
    let info = info_of(&stripped);
    assert!(info.lacks_tables);
    let turned = Orientation { flip_vertically: true, ..Orientation::default() };
    let copy = copy_turned(&stripped, &info, turned);
    let complete = copy_complete(&stripped, &info);
    assert_eq!(copy[..2], complete[..2]);
    assert_eq!(copy[38..], complete[2..]);
}
