//! Natural order of file names: `img2.jpg` before `img10.jpg`.

use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};

/// A file name in natural order: consecutive digits compare as one number, everything else byte by byte.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct NaturalName(OsString);

impl NaturalName {
    pub(super) fn new(name: OsString) -> Self {
        Self(name)
    }

    pub(super) fn as_os_str(&self) -> &OsStr {
        &self.0
    }
}

impl Ord for NaturalName {
    fn cmp(&self, other: &Self) -> Ordering {
        let (name, other) = (self.0.as_encoded_bytes(), other.0.as_encoded_bytes());
        // Keeps `img01` and `img1` distinct.
        compare(name, other).then_with(|| name.cmp(other))
    }
}

impl PartialOrd for NaturalName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn compare(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let (Some((first_a, rest_a)), Some((first_b, rest_b))) = (a.split_first(), b.split_first()) else {
            return a.len().cmp(&b.len());
        };
        let order = if first_a.is_ascii_digit() && first_b.is_ascii_digit() {
            let (number_a, number_b);
            (number_a, a) = split_number(a);
            (number_b, b) = split_number(b);
            // Without leading zeros, the longer number is larger.
            number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b))
        } else {
            (a, b) = (rest_a, rest_b);
            first_a.cmp(first_b)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Splits the digits at the start, without leading zeros, from the rest.
fn split_number(name: &[u8]) -> (&[u8], &[u8]) {
    let digits = name.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let zeros = name.iter().take_while(|byte| **byte == b'0').count();
    (name.get(zeros..digits).unwrap_or_default(), name.get(digits..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value() {
        let huge = format!("img{}.jpg", "9".repeat(100));
        let sorted = [
            "",
            "1.jpg",
            "2.jpg",
            "10.jpg",
            "a",
            "a0",
            "a00",
            "a1b2",
            "a1b10",
            "a2",
            "img.jpg",
            "img01.jpg",
            "img1.jpg",
            "img1a.jpg",
            "img2.jpg",
            "img10.jpg",
            &huge,
            "imga.jpg",
            "\u{e9}2",
            "\u{e9}10",
        ]
        .map(|name| NaturalName::new(name.into()));
        // Compares every pair, which shows that the order is total.
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(a.cmp(b), i.cmp(&j), "{a:?} and {b:?}");
            }
        }
    }
}
