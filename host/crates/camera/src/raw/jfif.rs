//! Component numbers as JFIF wants them.

/// Start of a baseline frame (ITU-T T.81, table B.1).
const SOF0: u8 = 0xC0;
/// Start of the scan, behind which the headers end.
const SOS: u8 = 0xDA;

/// Renumbers the components of a baseline JPEG with one scan to 1, 2, 3.
///
/// JFIF names Y, Cb and Cr so, but `jpeg-encoder` counts from 0. Decoders that go by the JFIF marker do not mind;
/// others take the numbers as a hint at the colour space. What is no JPEG stays as it is.
pub(super) fn number_components(jpeg: &mut [u8]) {
    let mut rest = jpeg.get_mut(2..).unwrap_or_default();
    while let &mut [0xFF, marker, high, low, ..] = rest {
        let length = 2 + usize::from(u16::from_be_bytes([high, low]));
        let Some((segment, behind)) = rest.split_at_mut_checked(length) else { return };
        match (marker, segment) {
            (SOF0, [_, _, _, _, _, _, _, _, _, count, components @ ..]) => number(*count, components.chunks_mut(3)),
            (SOS, [_, _, _, _, count, components @ ..]) => return number(*count, components.chunks_mut(2)),
            _ => {}
        }
        rest = behind;
    }
}

/// Numbers the first byte of each of `count` entries.
fn number<'a>(count: u8, entries: impl Iterator<Item = &'a mut [u8]>) {
    for (number, entry) in (1..=count).zip(entries) {
        if let [component, ..] = entry {
            *component = number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::number_components;

    #[test]
    fn components_count_from_one_in_frame_and_scan() {
        let mut jpeg = *b"\xFF\xD8\xFF\xE0\0\x03J\xFF\xC0\0\x0E\x08\0\x10\0\x10\x02\0\x22\0\x01\x11\x01\
                          \xFF\xDA\0\x0A\x02\0\0\x01\x11\0\x3F\0\xFF\xC0";
        number_components(&mut jpeg);
        let wanted = *b"\xFF\xD8\xFF\xE0\0\x03J\xFF\xC0\0\x0E\x08\0\x10\0\x10\x02\x01\x22\0\x02\x11\x01\
                        \xFF\xDA\0\x0A\x02\x01\0\x02\x11\0\x3F\0\xFF\xC0";
        assert_eq!(jpeg, wanted);
    }

    #[test]
    fn what_is_cut_off_or_no_jpeg_stays_as_it_is() {
        for bytes in [&b""[..], b"\xFF", b"\xFF\xD8\xFF\xC0\0\x20\0", b"\xFF\xD8\xFF\xC0\0\0", b"no JPEG at all"] {
            let mut jpeg = bytes.to_vec();
            number_components(&mut jpeg);
            assert_eq!(jpeg, bytes);
        }
    }
}
