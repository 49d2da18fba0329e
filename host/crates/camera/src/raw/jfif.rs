//! Component identifiers as JFIF requires them.

/// Start of a baseline frame (ITU-T T.81, table B.1).
const SOF0: u8 = 0xC0;
/// Start of scan, the last header.
const SOS: u8 = 0xDA;

/// Changes the component identifiers of a baseline JPEG with a single scan to 1, 2, 3. Leaves anything else unchanged.
///
/// JFIF requires these identifiers for Y, Cb and Cr, but `jpeg-encoder` counts from 0. Decoders that ignore the JFIF
/// marker may derive the colour space from the identifiers.
pub(super) fn set_component_ids(jpeg: &mut [u8]) {
    let mut rest = jpeg.get_mut(2..).unwrap_or_default();
    while let &mut [0xFF, marker, high, low, ..] = rest {
        let length = 2 + usize::from(u16::from_be_bytes([high, low]));
        let Some((segment, following)) = rest.split_at_mut_checked(length) else { return };
        match (marker, segment) {
            (SOF0, [_, _, _, _, _, _, _, _, _, count, components @ ..]) => set_ids(*count, components.chunks_mut(3)),
            (SOS, [_, _, _, _, count, components @ ..]) => return set_ids(*count, components.chunks_mut(2)),
            _ => {}
        }
        rest = following;
    }
}

/// Sets the first byte of `count` entries to 1, 2, 3 and so on.
fn set_ids<'a>(count: u8, entries: impl Iterator<Item = &'a mut [u8]>) {
    for (id, entry) in (1..=count).zip(entries) {
        if let [component_id, ..] = entry {
            *component_id = id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::set_component_ids;

    #[test]
    fn ids_count_from_one_in_frame_and_scan() {
        let mut jpeg = *b"\xFF\xD8\xFF\xE0\0\x03J\xFF\xC0\0\x0E\x08\0\x10\0\x10\x02\0\x22\0\x01\x11\x01\
                          \xFF\xDA\0\x0A\x02\0\0\x01\x11\0\x3F\0\xFF\xC0";
        set_component_ids(&mut jpeg);
        let expected = *b"\xFF\xD8\xFF\xE0\0\x03J\xFF\xC0\0\x0E\x08\0\x10\0\x10\x02\x01\x22\0\x02\x11\x01\
                        \xFF\xDA\0\x0A\x02\x01\0\x02\x11\0\x3F\0\xFF\xC0";
        assert_eq!(jpeg, expected);
    }

    #[test]
    fn truncated_and_other_data_stay_unchanged() {
        for bytes in [&b""[..], b"\xFF", b"\xFF\xD8\xFF\xC0\0\x20\0", b"\xFF\xD8\xFF\xC0\0\0", b"not a JPEG"] {
            let mut jpeg = bytes.to_vec();
            set_component_ids(&mut jpeg);
            assert_eq!(jpeg, bytes);
        }
    }
}
