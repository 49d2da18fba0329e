//! Splits a byte stream into JPEG images.
//!
//! The end of an image cannot be found by searching for its end marker: a thumbnail in a metadata segment has one too.
//! So the segments are walked by their lengths, and the entropy-coded data up to a marker (B.1.1.2, B.1.1.5).
//!
//! Whatever is between images is skipped, for example the delimiters and headers of `multipart/x-mixed-replace`.

use bytes::Bytes;
use memchr::{memchr, memmem};

use super::headers;
use super::markers::{EOI, MARKER, SOI, SOS, TEM};

/// A start-of-image marker and the first byte of the marker that follows.
const START: &[u8] = &[MARKER, SOI, MARKER];

/// The length in bytes of a marker.
const MARKER_LENGTH: usize = 2;

/// The longest length field of a scan header: with four components (B.2.3). Nothing but the end of an image stops a
/// walk over its scan, so the start of a scan must be right.
const MAX_SCAN_HEADER: usize = 6 + 2 * 4;

/// How many bytes the buffer has room for before each read: the capacity of a pipe (pipe(7)).
const READ_SIZE: usize = 64 << 10;

/// A piece of a byte stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// From a start-of-image marker to the end-of-image marker that belongs to it, or, if the image was cut off, to the
    /// start of the next one. Only [`validate`](super::validate()) tells whether this is an image.
    Image(Bytes),
    /// The start of an image whose segments are malformed.
    Malformed,
    /// The start of an image that is larger than the limit.
    TooLarge,
}

/// Splits a byte stream into JPEG images, in whatever portions it arrives.
///
/// Holds at most one incomplete image. After damage it continues with the next start of an image. Takes linear time for
/// any input.
#[derive(Debug)]
pub struct Splitter {
    buffer: Vec<u8>,
    /// Where the current image starts, or the search for one.
    start: usize,
    /// How far the current image has been walked. May be past the end of the buffer.
    position: usize,
    state: State,
    max_image: usize,
    skipped: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Before an image.
    Between,
    /// In an image, before a marker. The last segment began at `segment`.
    Segments { segment: usize, is_after_scan: bool },
    /// In entropy-coded data. With a `single` scan, no segment can follow them.
    Scan { single: bool },
}

/// What to do after a step.
enum Step {
    Continue,
    Emit(Piece),
    NeedsMore,
}

impl Splitter {
    /// Creates a splitter that drops images of more than `max_image` bytes.
    pub fn new(max_image: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, position: 0, state: State::Between, max_image, skipped: 0 }
    }

    /// Returns a buffer with spare capacity, to append received bytes to. The bytes in it must not be changed.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        // Everything before the current image has been returned or skipped.
        self.buffer.drain(..self.start.min(self.buffer.len()));
        self.position -= self.start;
        if let State::Segments { segment, .. } = &mut self.state {
            *segment -= self.start;
        }
        self.start = 0;
        self.buffer.reserve(READ_SIZE);
        &mut self.buffer
    }

    /// Adds received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer().extend_from_slice(bytes);
    }

    /// How many bytes outside of images were skipped so far.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Returns the next piece, or `None` if more bytes are needed.
    pub fn next_piece(&mut self) -> Option<Piece> {
        loop {
            let step = match self.state {
                State::Between => self.find_start(),
                State::Segments { segment, is_after_scan } => self.walk_segment(segment, is_after_scan),
                State::Scan { single } => self.walk_scan(single),
            };
            match step {
                Some(Step::Continue) => {}
                Some(Step::Emit(piece)) => return Some(piece),
                Some(Step::NeedsMore) | None => {
                    let is_too_large = self.buffer.len().saturating_sub(self.start) > self.max_image;
                    return is_too_large.then(|| {
                        self.resume(self.buffer.len());
                        Piece::TooLarge
                    });
                }
            }
        }
    }

    fn byte(&self, index: usize) -> Option<u8> {
        self.buffer.get(index).copied()
    }

    /// Searches for the start of an image.
    fn find_start(&mut self) -> Option<Step> {
        let rest = self.buffer.get(self.start..)?;
        let Some(found) = memmem::find(rest, START) else {
            // The end may be the beginning of a start.
            let kept = (1..START.len()).rev().find(|length| rest.ends_with(START.get(..*length).unwrap_or(START)));
            let skipped = rest.len() - kept.unwrap_or(0);
            self.skip(skipped);
            return Some(Step::NeedsMore);
        };
        self.skip(found);
        self.begin(self.start);
        Some(Step::Continue)
    }

    fn skip(&mut self, count: usize) {
        self.skipped = self.skipped.saturating_add(count as u64);
        self.start += count;
        self.position = self.start;
    }

    /// Begins the image that starts at `start`.
    fn begin(&mut self, start: usize) {
        self.start = start;
        self.position = start + MARKER_LENGTH;
        self.state = State::Segments { segment: self.position, is_after_scan: false };
    }

    /// Continues with the search for an image at `start`.
    fn resume(&mut self, start: usize) {
        self.start = start;
        self.position = start;
        self.state = State::Between;
    }

    /// Walks over a marker and its segment. Returns `None` if its header is incomplete.
    fn walk_segment(&mut self, segment: usize, is_after_scan: bool) -> Option<Step> {
        if self.byte(self.position)? != MARKER {
            return Some(self.malformed(segment));
        }
        // Any number of fill bytes may precede a marker (B.1.1.2).
        while self.byte(self.position + 1)? == MARKER {
            self.position += 1;
        }
        let marker = self.byte(self.position + 1)?;
        match marker {
            TEM => {
                self.position += MARKER_LENGTH;
                return Some(Step::Continue);
            }
            EOI => return Some(self.end()),
            SOI => {
                self.begin(self.position);
                return Some(Step::Emit(Piece::Malformed));
            }
            0x00 | 0xD0..=0xD7 => return Some(self.malformed(segment)),
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes([self.byte(self.position + 2)?, self.byte(self.position + 3)?]));
        if length < 2 || (marker == SOS && length > MAX_SCAN_HEADER) {
            return Some(self.malformed(segment));
        }
        let next = self.position + MARKER_LENGTH + length;
        if marker == SOS {
            // The parser expects a byte of data.
            self.byte(next)?;
            let single = !is_after_scan && {
                let image = self.buffer.get(self.start..).unwrap_or_default();
                // If the headers are malformed, validation rejects the image. Until then, only its end matters.
                headers::parse(image).map_or(true, |headers| headers.single_scan)
            };
            self.state = State::Scan { single };
        } else {
            self.state = State::Segments { segment: self.position, is_after_scan };
        }
        self.position = next;
        Some(Step::Continue)
    }

    /// Drops an image whose segments are malformed. If bytes were lost, the last segment reaches into the next image,
    /// so the search continues inside that segment.
    fn malformed(&mut self, segment: usize) -> Step {
        self.resume(segment.max(self.start + MARKER_LENGTH));
        Step::Emit(Piece::Malformed)
    }

    /// Walks over entropy-coded data. Returns `None` at the end of the buffer.
    fn walk_scan(&mut self, single: bool) -> Option<Step> {
        loop {
            let Some(found) = memchr(MARKER, self.buffer.get(self.position..)?) else {
                self.position = self.buffer.len();
                return None;
            };
            self.position += found;
            match self.byte(self.position + 1)? {
                // A fill byte.
                MARKER => self.position += 1,
                EOI => return Some(self.end()),
                SOI => {
                    // The rest of this image was lost.
                    let image = self.take(self.position);
                    self.begin(self.start);
                    return Some(Step::Emit(image));
                }
                0x00 | 0xD0..=0xD7 | TEM => self.position += MARKER_LENGTH,
                // Damage, which validation judges.
                _ if single => self.position += MARKER_LENGTH,
                _ => {
                    self.state = State::Segments { segment: self.position, is_after_scan: true };
                    return Some(Step::Continue);
                }
            }
        }
    }

    /// Ends the image with the end marker at the present position.
    fn end(&mut self) -> Step {
        let image = self.take(self.position + MARKER_LENGTH);
        self.resume(self.start);
        Step::Emit(image)
    }

    /// Takes the image up to `end` out of the buffer, without copying it. Then `start` is where the rest starts.
    fn take(&mut self, end: usize) -> Piece {
        let length = end - self.start;
        // The next image probably has about the same length.
        let mut rest = Vec::with_capacity(length + READ_SIZE);
        rest.extend_from_slice(self.buffer.get(end..).unwrap_or_default());
        let mut image = std::mem::replace(&mut self.buffer, rest);
        image.truncate(end);
        let image = Bytes::from(image).slice(self.start.min(end)..);
        self.start = 0;
        self.position = 0;
        if length > self.max_image { Piece::TooLarge } else { Piece::Image(image) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jpeg::{Options, validate};

    const PICTURE: &[u8] = include_bytes!("../../../../../frames/1.jpg");
    const SMALL: &[u8] = include_bytes!("../../tests/fixtures/420-optimal-33x17.jpg");
    const RESTART: &[u8] = include_bytes!("../../tests/fixtures/restart-611x333.jpg");
    const PROGRESSIVE: &[u8] = include_bytes!("../../tests/fixtures/progressive-17x9.jpg");
    const ARITHMETIC: &[u8] = include_bytes!("../../tests/fixtures/arithmetic-17x9.jpg");

    const LIMIT: usize = 1 << 20;

    fn split_portions<'a>(portions: impl IntoIterator<Item = &'a [u8]>) -> Vec<Piece> {
        let mut splitter = Splitter::new(LIMIT);
        let mut pieces = Vec::new();
        for portion in portions {
            splitter.push(portion);
            pieces.extend(std::iter::from_fn(|| splitter.next_piece()));
        }
        pieces
    }

    fn split(bytes: &[u8]) -> Vec<Piece> {
        split_portions([bytes])
    }

    fn image(bytes: &[u8]) -> Piece {
        Piece::Image(Bytes::copy_from_slice(bytes))
    }

    /// The image with a segment after its start marker that contains `thumbnail`.
    fn with_thumbnail(image: &[u8], thumbnail: &[u8]) -> Vec<u8> {
        let length = u16::try_from(thumbnail.len() + 2).unwrap().to_be_bytes();
        [&image[..2], &[MARKER, 0xE1], &length, thumbnail, &image[2..]].concat()
    }

    #[test]
    fn a_stream_is_split_the_same_in_any_portions() {
        let thumbnail = with_thumbnail(SMALL, PROGRESSIVE);
        let part = b"\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 1\r\n\r\n";
        let cut = &SMALL[..SMALL.len() - 9];
        let stream = [SMALL, part, &thumbnail, PROGRESSIVE, &[MARKER], ARITHMETIC, cut, SMALL, part].concat();
        let expected: Vec<_> =
            [SMALL, &thumbnail, PROGRESSIVE, ARITHMETIC, cut, SMALL].into_iter().map(image).collect();
        assert_eq!(split(&stream), expected);
        for at in 0..=stream.len() {
            let (first, second) = stream.split_at(at);
            assert_eq!(split_portions([first, second]), expected, "split at {at}");
        }
        for size in 1..100 {
            assert_eq!(split_portions(stream.chunks(size)), expected, "in portions of {size}");
        }
    }

    #[test]
    fn every_image_that_is_valid_is_found_whole() {
        for bytes in [PICTURE, SMALL, RESTART, PROGRESSIVE, ARITHMETIC] {
            assert_eq!(validate(bytes, Options::default()).unwrap().length, bytes.len());
            assert_eq!(split(&[bytes, bytes].concat()), [image(bytes), image(bytes)]);
        }
    }

    #[test]
    fn what_is_between_images_is_skipped_and_counted() {
        let mut splitter = Splitter::new(LIMIT);
        splitter.push(&[b"\xFF\xD8noise\xFF", SMALL, b"\xFF\xD9noise", SMALL, b"\xFF\xD8"].concat());
        assert_eq!(splitter.next_piece(), Some(image(SMALL)));
        assert_eq!(splitter.next_piece(), Some(image(SMALL)));
        assert_eq!(splitter.next_piece(), None);
        assert_eq!(splitter.skipped(), 8 + 7);
    }

    #[test]
    fn damage_hardly_ever_costs_another_image() {
        let mut costly_cuts = 0;
        // Cut off after any number of bytes, in the headers or the data.
        for cut in 3..SMALL.len() - 2 {
            // A cut in the length of a segment can make the splitter wait for 64 KiB.
            let pieces = split(&[PROGRESSIVE, &SMALL[..cut], PICTURE, PICTURE, PICTURE, PICTURE, SMALL].concat());
            assert_eq!(pieces.first(), Some(&image(PROGRESSIVE)), "cut at {cut}");
            assert_eq!(pieces[pieces.len() - 2..], [image(PICTURE), image(SMALL)], "cut at {cut}");
            let is_valid =
                |piece: &&Piece| matches!(piece, Piece::Image(bytes) if validate(bytes, Options::default()).is_ok());
            let valid = pieces.iter().filter(is_valid).count();
            // The last segment of the cut image may happen to end where one of the next image does.
            assert!(valid == 6 || valid == 5, "cut at {cut}: {valid}");
            costly_cuts += usize::from(valid == 5);
        }
        assert!(costly_cuts < 10, "{costly_cuts} cuts");
    }

    #[test]
    fn images_over_the_limit_are_dropped() {
        let mut splitter = Splitter::new(PICTURE.len() - 1);
        let mut pieces = Vec::new();
        for portion in [SMALL, PICTURE, SMALL].concat().chunks(1000) {
            splitter.push(portion);
            assert!(splitter.buffer.len() < PICTURE.len() + 1000);
            pieces.extend(std::iter::from_fn(|| splitter.next_piece()));
        }
        assert_eq!(pieces, [image(SMALL), Piece::TooLarge, image(SMALL)]);
        let mut endless = Splitter::new(LIMIT);
        endless.push(&PICTURE[..PICTURE.len() / 2]);
        let mut dropped = 0;
        for _ in 0..100 {
            endless.push(&[0x55; 100_000]);
            while let Some(piece) = endless.next_piece() {
                assert_eq!(piece, Piece::TooLarge);
                dropped += 1;
            }
            assert!(endless.buffer.len() <= LIMIT + 100_000);
        }
        assert_eq!(dropped, 1, "the rest is between images");
    }

    #[test]
    fn hostile_bytes_take_linear_time() {
        // Each start of an image promises a segment that ends before nonsense.
        let trap = [MARKER, SOI, MARKER, 0xE0, 0xFF, 0xF0].repeat(400_000);
        let started = std::time::Instant::now();
        let mut splitter = Splitter::new(LIMIT);
        for portion in trap.chunks(READ_SIZE) {
            splitter.push(portion);
            while splitter.next_piece().is_some() {}
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
    }
}
