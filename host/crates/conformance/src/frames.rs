//! Valid JPEGs that confuse simple parsers.

use std::path::Path;

use crate::jpeg;

/// Returns JPEGs of the same size as `base`, each with a name that describes it.
///
/// # Errors
///
/// If `base` is not a JPEG.
pub fn awkward_frames(base: &[u8]) -> Result<Vec<(&'static str, Vec<u8>)>, String> {
    let (width, height) = jpeg::size(base)?;
    let with = |segments: &[Vec<u8>]| {
        let (start, rest) = base.split_at(2);
        [start, &segments.concat(), rest].concat()
    };
    let boundaries = b"\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 3\r\n\r\n\xff\r\n--frame--\r\n\
        \r\n--boundarydonotcross\r\nContent-Type: image/jpeg\r\n\r\n";
    // A comment that makes the length of the file odd.
    let odd = if base.len().is_multiple_of(2) { comment(b"x") } else { comment(b"xx") };
    let filling: Vec<u8> = (0..60_000_u32).map(|number| ((number * 7919) >> 5) as u8 & 0x7f).collect();
    Ok(vec![
        ("1-plain", base.to_vec()),
        ("2-thumbnail", with(&[thumbnail()])),
        ("3-boundaries", with(&[comment(boundaries)])),
        ("4-markers", with(&[comment(b"\xff\xd8\xff\xe0 and \xff\xd9, \xff\xd9\r\n\xff\xd8\xff")])),
        ("5-odd", with(&[odd])),
        ("6-large", with(&vec![comment(&filling); 6])),
        ("7-tiny", flat(width, height)),
    ])
}

/// Writes the [`awkward_frames`] of a JPEG file into a folder, which is created if necessary.
///
/// # Errors
///
/// If the file cannot be read or the folder cannot be written.
pub fn write_awkward_frames(base: &Path, folder: &Path) -> Result<(), String> {
    let bytes = std::fs::read(base).map_err(|error| format!("{}: {error}", base.display()))?;
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for (name, frame) in awkward_frames(&bytes)? {
        let path = folder.join(format!("{name}.jpg"));
        std::fs::write(&path, frame).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// A marker segment (T.81, B.1.1.4).
fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap_or(u16::MAX).to_be_bytes();
    [&[0xff, marker], &length[..], content].concat()
}

fn comment(content: &[u8]) -> Vec<u8> {
    segment(0xfe, content)
}

/// An Exif segment that contains only a thumbnail, which is a complete JPEG with its own SOI and EOI.
fn thumbnail() -> Vec<u8> {
    let picture = flat(32, 32);
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08".to_vec();
    // The first image file directory is empty and points to the second, right behind it.
    exif.extend(b"\0\0\0\0\0\x0e");
    // Compression (JPEG), JPEGInterchangeFormat (the offset from the TIFF header), JPEGInterchangeFormatLength.
    exif.extend(b"\0\x03\x01\x03\0\x03\0\0\0\x01\0\x06\0\0");
    exif.extend(b"\x02\x01\0\x04\0\0\0\x01\0\0\0\x38");
    exif.extend(b"\x02\x02\0\x04\0\0\0\x01");
    exif.extend(u32::try_from(picture.len()).unwrap_or_default().to_be_bytes());
    exif.extend(b"\0\0\0\0");
    exif.extend(picture);
    segment(0xe1, &exif)
}

/// The smallest JPEG of a size: a grey image in which each block takes two bits.
fn flat(width: u16, height: u16) -> Vec<u8> {
    let ([w1, w0], [h1, h0]) = (width.to_be_bytes(), height.to_be_bytes());
    let mut table = vec![0];
    table.extend([1; 64]);
    // A table with a single one-bit code, for the symbol 0: a DC difference of zero, and end of block.
    let code = |class: u8| segment(0xc4, &[&[class, 1], &[0; 15][..], &[0]].concat());
    let bits = usize::from(width.div_ceil(16)) * usize::from(height.div_ceil(16)) * 6 * 2;
    let mut scan = vec![0; bits / 8];
    if bits % 8 > 0 {
        scan.push(0xff >> (bits % 8));
    }
    [
        vec![0xff, 0xd8],
        segment(0xdb, &table),
        segment(0xc0, &[8, h1, h0, w1, w0, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]),
        code(0x00),
        code(0x10),
        segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]),
        scan,
        // Any marker may be preceded by fill bytes. Without them, ffmpeg misses the EOI of such a small file.
        vec![0xff, 0xff, 0xff, 0xd9],
    ]
    .concat()
}
