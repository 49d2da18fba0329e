//! Writing Motion JPEG in Matroska (RFC 9559): a header with an index, then a cluster for each frame.
//!
//! Times and lengths of all frames are known before the first one is written, so the index comes first, and players can
//! seek while they still receive the file. Every frame has its own time, so frames need not be evenly spaced.

use alloc::vec::Vec;

use crate::bindings::hotshoe::camera::frames::Datetime;

/// The content type (RFC 9559, section 27.3).
pub const CONTENT_TYPE: &str = "video/matroska";

const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

/// The start of the millennium, from which Matroska counts dates, in seconds since 1970.
const MATROSKA_EPOCH: u64 = 978_307_200;

// Element IDs (RFC 8794, section 11.2, and RFC 9559, section 5.1).
const EBML: u32 = 0x1a45_dfa3;
const EBML_VERSION: u32 = 0x4286;
const EBML_READ_VERSION: u32 = 0x42f7;
const EBML_MAX_ID_LENGTH: u32 = 0x42f2;
const EBML_MAX_SIZE_LENGTH: u32 = 0x42f3;
const DOC_TYPE: u32 = 0x4282;
const DOC_TYPE_VERSION: u32 = 0x4287;
const DOC_TYPE_READ_VERSION: u32 = 0x4285;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
const DURATION: u32 = 0x4489;
const DATE_UTC: u32 = 0x4461;
const MUXING_APP: u32 = 0x4d80;
const WRITING_APP: u32 = 0x5741;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK_ENTRY: u32 = 0xae;
const TRACK_NUMBER: u32 = 0xd7;
const TRACK_UID: u32 = 0x73c5;
const TRACK_TYPE: u32 = 0x83;
const FLAG_LACING: u32 = 0x9c;
const CODEC_ID: u32 = 0x86;
const VIDEO: u32 = 0xe0;
const PIXEL_WIDTH: u32 = 0xb0;
const PIXEL_HEIGHT: u32 = 0xba;
const CLUSTER: u32 = 0x1f43_b675;
const TIMESTAMP: u32 = 0xe7;
const SIMPLE_BLOCK: u32 = 0xa3;

const CUES: u32 = 0x1c53_bb6b;
const CUE_POINT: u32 = 0xbb;
const CUE_TIME: u32 = 0xb3;
const CUE_TRACK_POSITIONS: u32 = 0xb7;
const CUE_TRACK: u32 = 0xf7;
const CUE_CLUSTER_POSITION: u32 = 0xf1;
const VOID: u32 = 0xec;

/// The least time between two frames in the index. Players go to the frame before, and skip those that follow.
const CUE_INTERVAL: u64 = 1_000_000_000;

/// The length of the identifier and the length of a void element.
const VOID_HEADER_LENGTH: u64 = 9;

/// What precedes the image in a block: the track as an EBML number, the time relative to the cluster, and the flag of a
/// key frame (RFC 9559, section 10.2).
const BLOCK_HEADER: [u8; 4] = [0x81, 0, 0, 0x80];

/// A frame of a file.
#[derive(Clone, Copy)]
pub struct FileFrame {
    /// How much later than the first frame it was captured, in nanoseconds.
    pub nanoseconds: u64,
    /// The length of its image in bytes.
    pub length: u64,
}

impl FileFrame {
    /// Returns what precedes the image.
    pub fn header(&self) -> Vec<u8> {
        let block_length = BLOCK_HEADER.len() as u64 + self.length;
        let mut content = number(TIMESTAMP, self.nanoseconds / NANOSECONDS_PER_MILLISECOND);
        push_id(&mut content, SIMPLE_BLOCK);
        push_length(&mut content, block_length);
        let mut bytes = Vec::new();
        push_id(&mut bytes, CLUSTER);
        push_length(&mut bytes, content.len() as u64 + block_length);
        bytes.extend(content);
        bytes.extend(BLOCK_HEADER);
        bytes
    }

    /// Returns what precedes as many zeros as the image has bytes, if there is no image: players skip them, and the
    /// index remains valid.
    pub fn gap_header(&self) -> Vec<u8> {
        let header_length = self.header().len() as u64;
        let mut bytes = Vec::new();
        push_id(&mut bytes, VOID);
        push_length(&mut bytes, header_length - VOID_HEADER_LENGTH + self.length);
        bytes.resize(header_length as usize, 0);
        bytes
    }

    fn size(&self) -> u64 {
        self.header().len() as u64 + self.length
    }
}

/// Returns the start of a file with these frames, whose pictures have this size and whose first frame was captured at
/// this time, and the length of the whole file in bytes.
pub fn header(width: u32, height: u32, captured: &Datetime, frames: &[FileFrame]) -> (Vec<u8>, u64) {
    let nanoseconds = frames.last().map_or(0, |frame| frame.nanoseconds);
    let seconds = captured.seconds.saturating_sub(MATROSKA_EPOCH);
    let date = seconds.saturating_mul(1_000_000_000).saturating_add(captured.nanoseconds.into());
    let mut bytes = element(
        EBML,
        &[
            number(EBML_VERSION, 1),
            number(EBML_READ_VERSION, 1),
            number(EBML_MAX_ID_LENGTH, 4),
            number(EBML_MAX_SIZE_LENGTH, 8),
            text(DOC_TYPE, "matroska"),
            number(DOC_TYPE_VERSION, 4),
            number(DOC_TYPE_READ_VERSION, 2),
        ]
        .concat(),
    );
    let mut content = element(
        INFO,
        &[
            number(TIMESTAMP_SCALE, NANOSECONDS_PER_MILLISECOND),
            element(DURATION, &(nanoseconds as f64 / NANOSECONDS_PER_MILLISECOND as f64).to_be_bytes()),
            element(DATE_UTC, &date.to_be_bytes()),
            text(MUXING_APP, "hotshoe"),
            text(WRITING_APP, "hotshoe"),
        ]
        .concat(),
    );
    let video = element(VIDEO, &[number(PIXEL_WIDTH, width.into()), number(PIXEL_HEIGHT, height.into())].concat());
    let track = [
        number(TRACK_NUMBER, 1),
        number(TRACK_UID, 1),
        // Video.
        number(TRACK_TYPE, 1),
        number(FLAG_LACING, 0),
        text(CODEC_ID, "V_MJPEG"),
        video,
    ]
    .concat();
    content.extend(element(TRACKS, &element(TRACK_ENTRY, &track)));
    // Positions have a fixed length, so the index is as long wherever the clusters begin.
    let clusters = content.len() + index(frames, 0).len();
    content.extend(index(frames, clusters as u64));
    let images: u64 = frames.iter().map(FileFrame::size).sum();
    push_id(&mut bytes, SEGMENT);
    push_length(&mut bytes, content.len() as u64 + images);
    bytes.extend(content);
    let length = bytes.len() as u64 + images;
    (bytes, length)
}

/// Returns the index of frames whose clusters begin at this position of the segment (RFC 9559, section 5.1.5).
fn index(frames: &[FileFrame], mut position: u64) -> Vec<u8> {
    let mut points = Vec::new();
    let mut next = 0;
    for frame in frames {
        if frame.nanoseconds >= next {
            let place = [number(CUE_TRACK, 1), element(CUE_CLUSTER_POSITION, &position.to_be_bytes())].concat();
            let time = number(CUE_TIME, frame.nanoseconds / NANOSECONDS_PER_MILLISECOND);
            points.extend(element(CUE_POINT, &[time, element(CUE_TRACK_POSITIONS, &place)].concat()));
            next = frame.nanoseconds.saturating_add(CUE_INTERVAL);
        }
        position += frame.size();
    }
    element(CUES, &points)
}

fn element(id: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(12 + content.len());
    push_id(&mut bytes, id);
    push_length(&mut bytes, content.len() as u64);
    bytes.extend_from_slice(content);
    bytes
}

fn number(id: u32, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take(7).take_while(|byte| **byte == 0).count();
    element(id, bytes.get(zeros..).unwrap_or_default())
}

fn text(id: u32, value: &str) -> Vec<u8> {
    element(id, value.as_bytes())
}

/// Adds an ID, which contains its own length marker.
fn push_id(bytes: &mut Vec<u8>, id: u32) {
    bytes.extend(id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0));
}

/// Adds a length in eight bytes: a marker and 56 bits (RFC 8794, section 4).
fn push_length(bytes: &mut Vec<u8>, length: u64) {
    bytes.extend((length | 1 << 56).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_bytes_as_they_need() {
        assert_eq!(number(TRACK_NUMBER, 0), [0xd7, 1, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(number(PIXEL_WIDTH, 1280), [0xb0, 1, 0, 0, 0, 0, 0, 0, 2, 5, 0]);
    }

    #[test]
    fn a_cluster_holds_one_frame_with_its_time() {
        let expected = [
            &[0x1f, 0x43, 0xb6, 0x75, 1, 0, 0, 0, 0, 0, 0, 34][..],
            &[0xe7, 1, 0, 0, 0, 0, 0, 0, 2, 0x04, 0xd2],
            &[0xa3, 1, 0, 0, 0, 0, 0, 0, 14, 0x81, 0, 0, 0x80],
        ]
        .concat();
        let frame = FileFrame { nanoseconds: 1_234_900_000, length: 10 };
        assert_eq!(frame.header(), expected);
        let gap = [frame.gap_header(), vec![0; 10]].concat();
        assert_eq!((&gap[..9], gap.len()), (&[0xec, 1, 0, 0, 0, 0, 0, 0, 37][..], 9 + 37));
        assert_eq!(gap.len() as u64, frame.size());
    }

    #[test]
    fn the_header_describes_the_pictures() {
        let captured = Datetime { seconds: MATROSKA_EPOCH + 1, nanoseconds: 5 };
        let frames = [0, 1_500_000_000].map(|nanoseconds| FileFrame { nanoseconds, length: 1 });
        let (bytes, _) = header(640, 480, &captured, &frames);
        assert!(bytes.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]));
        let contains = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(contains(b"V_MJPEG") && contains(b"matroska"));
        assert!(contains(&number(PIXEL_WIDTH, 640)) && contains(&number(PIXEL_HEIGHT, 480)));
        assert!(contains(&1_000_000_005_u64.to_be_bytes()) && contains(&1500_f64.to_be_bytes()));
    }

    #[test]
    fn the_index_has_a_frame_of_each_second_and_leads_to_its_cluster() {
        let captured = Datetime { seconds: 0, nanoseconds: 0 };
        let frames: Vec<_> = (0..30).map(|number| FileFrame { nanoseconds: number * 100_000_000, length: 5 }).collect();
        let (mut file, length) = header(640, 480, &captured, &frames);
        for frame in &frames {
            file.extend(frame.header());
            file.extend([0; 5]);
        }
        assert_eq!(file.len() as u64, length);
        let segment = file.windows(4).position(|window| window == SEGMENT.to_be_bytes()).unwrap() + 12;
        let positions = [&[0xf1, 1, 0, 0, 0, 0, 0, 0, 8][..]].concat();
        let places = file.windows(positions.len()).enumerate().filter(|(_, window)| *window == positions);
        let found: Vec<_> = places
            .map(|(at, _)| {
                let position = u64::from_be_bytes(file[at + 9..at + 17].try_into().unwrap());
                let cluster = &file[segment + position as usize..];
                assert!(cluster.starts_with(&CLUSTER.to_be_bytes()));
                // The time follows the length of the cluster, its own identifier and its length.
                let digits = usize::from(cluster[20]);
                cluster[21..21 + digits].iter().fold(0, |time, byte| time << 8 | u64::from(*byte))
            })
            .collect();
        assert_eq!(found, [0, 1000, 2000]);
    }
}
