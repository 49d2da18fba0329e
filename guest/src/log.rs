//! `/log`: the last frames of a camera as rows, as a page or as CSV. A hundred thousand of them are sent in pieces, with
//! memory for one piece.

use alloc::format;
use alloc::string::{String, ToString as _};
use core::fmt::Write as _;

use crate::bindings::hotshoe::camera::cameras::CameraInfo;
use crate::bindings::hotshoe::camera::history::{Entry, list_entries};
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::date;
use crate::feed;
use crate::query::Query;
use crate::reply::{self, Gone, Head, Writer};
use crate::route::Which;

/// How many rows are sent as one piece: some 30 kB.
const PIECE: u32 = 256;

/// How many rows the page has unless the query says otherwise: as many as a person scrolls through. All of them would be
/// 9 MB. A file in CSV is for programs, and is whole.
const PAGE_ROWS: u64 = 1000;

const PAGE: &str = include_str!("log.html");
/// Where the page has the camera's name, the way to this page's folder and to the index, and the rows.
const NAME: &str = "{name}";
const LOG: &str = "{log}";
const HOME: &str = "{home}";
const ROWS: &str = "<!-- rows -->";

const CSV_HEAD: &str = "sequence,time,bytes,interval_ms,lost_before\r\n";

/// How rows are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// As a table of a page.
    Html,
    /// RFC 4180.
    Csv,
}

/// Answer with the last frames of this camera: as many as the query wants by `rows=`, or else [`PAGE_ROWS`] on the page, and
/// all that are remembered in CSV.
pub fn serve(out: ResponseOutparam, head_only: bool, camera: Which<'_>, query: Query<'_>, format: Format) {
    let is_named = camera != Which::First;
    let Some((camera, out)) = feed::find(out, head_only, camera) else { return };
    let content_type = match format {
        Format::Html => "text/html; charset=utf-8",
        Format::Csv => "text/csv; charset=utf-8; header=present",
    };
    let mut headers = reply::fresh_and(&reply::UNBUFFERED);
    if format == Format::Html {
        headers.push(("content-security-policy", reply::POLICY));
    }
    let head = Head { status: 200, headers: &headers };
    let usual = (format == Format::Html).then_some(PAGE_ROWS);
    let rows = query.get("rows").and_then(|rows| rows.parse().ok()).or(usual);
    if let Some(mut writer) = reply::begin(out, head_only, &head, content_type, None)
        && write(&mut writer, &camera, rows, format, &page(&camera.name, is_named)).is_ok()
    {
        writer.finish();
    }
}

/// The page, around its rows. Links are relative, so that they work behind a proxy under any path.
fn page(camera: &str, is_named: bool) -> String {
    let (log, home) = if is_named { ("", "../") } else { ("log/", "./") };
    PAGE.replace(NAME, camera).replace(LOG, log).replace(HOME, home)
}

/// Write up to so many of the frames that there are now.
fn write(writer: &mut Writer, camera: &CameraInfo, rows: Option<u64>, format: Format, page: &str) -> Result<(), Gone> {
    let (before, after) = match format {
        Format::Html => page.split_once(ROWS).unwrap_or_default(),
        Format::Csv => (CSV_HEAD, ""),
    };
    writer.write(before.as_bytes())?;
    let end = camera.counts.frames;
    let begin = rows.map_or(0, |rows| end.saturating_sub(rows));
    // The one before the first row, to tell the interval between them.
    let mut next = begin.saturating_sub(1);
    let mut last: Option<Entry> = None;
    let mut text = String::new();
    while next < end {
        let limit = PIECE.min(u32::try_from(end - next).unwrap_or(PIECE));
        // The camera is there, so this does not fail.
        let entries = list_entries(&camera.name, next, limit).unwrap_or_default();
        if entries.is_empty() {
            break;
        }
        text.clear();
        for entry in entries {
            if entry.index >= begin && entry.index < end {
                write_row(&mut text, format, &entry, last.as_ref());
            }
            next = entry.index + 1;
            last = Some(entry);
        }
        writer.write(text.as_bytes())?;
    }
    writer.write(after.as_bytes())
}

fn write_row(text: &mut String, format: Format, entry: &Entry, last: Option<&Entry>) {
    let time = date::utc(entry.wall_time.seconds, entry.wall_time.nanoseconds);
    // Not known of the first; and those that were forgotten while a slow client read stand between no two.
    let last = last.filter(|last| last.index + 1 == entry.index);
    let interval = last.map(|last| entry.monotonic_time.saturating_sub(last.monotonic_time)).map(milliseconds);
    let interval = interval.unwrap_or_default();
    let Entry { sequence, length, lost_before, .. } = entry;
    // Writing to a String can't fail.
    let _ = match format {
        Format::Html => {
            let mark = if *lost_before > 0 { " class=\"lost\"" } else { "" };
            writeln!(
                text,
                "<tr{mark}><td>{sequence}</td><td>{time}</td><td>{length}</td><td>{interval}</td><td>{lost_before}</td></tr>"
            )
        }
        Format::Csv => write!(text, "{sequence},{time},{length},{interval},{lost_before}\r\n"),
    };
}

/// With one decimal.
fn milliseconds(nanoseconds: u64) -> String {
    let tenths = nanoseconds.saturating_add(50_000) / 100_000;
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        tenth => format!("{}.{tenth}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::hotshoe::camera::history::Datetime;

    fn row(format: Format, index: u64, last_index: u64) -> String {
        let at = |index: u64| Entry {
            index,
            sequence: 2 * index,
            monotonic_time: index * 33_300_000,
            wall_time: Datetime { seconds: 1_700_000_000, nanoseconds: 0 },
            length: 30_000,
            lost_before: 1,
        };
        let mut text = String::new();
        write_row(&mut text, format, &at(index), Some(&at(last_index)));
        text
    }

    #[test]
    fn a_row_says_what_was_seen() {
        assert_eq!(row(Format::Csv, 7, 6), "14,2023-11-14T22:13:20.000Z,30000,33.3,1\r\n");
        assert_eq!(
            row(Format::Html, 7, 6),
            "<tr class=\"lost\"><td>14</td><td>2023-11-14T22:13:20.000Z</td><td>30000</td><td>33.3</td><td>1</td></tr>\n"
        );
    }

    #[test]
    fn what_is_not_known_is_empty() {
        assert_eq!(row(Format::Csv, 7, 5), "14,2023-11-14T22:13:20.000Z,30000,,1\r\n");
    }

    #[test]
    fn the_page_has_its_places() {
        assert_eq!(PAGE.matches(ROWS).count(), 1);
        assert!([NAME, LOG, HOME].iter().all(|place| PAGE.contains(place)));
        assert!(page("front", true).contains("<a href=\"front.csv\">"));
        assert!(page("front", false).contains("<a href=\"log/front.csv\">"));
    }
}
