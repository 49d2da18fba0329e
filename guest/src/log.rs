//! `/log`: the last frames of a camera as a table, on a page or in CSV. A long table is sent in chunks, so that only
//! one chunk is in memory.

use alloc::format;
use alloc::string::{String, ToString as _};
use core::fmt::Write as _;

use crate::bindings::hotshoe::camera::cameras::CameraInfo;
use crate::bindings::hotshoe::camera::history::{Entry, list_entries};
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::date;
use crate::feed;
use crate::query::Query;
use crate::response::{self, BodyWriter, Disconnected, Head};
use crate::route::CameraSelector;

/// The number of rows in a chunk, about 30 kB.
const CHUNK_ROWS: u32 = 256;

/// The default number of rows on the page: as many as a person would scroll through. All rows would be 9 MB. CSV is for
/// programs and contains all rows by default.
const PAGE_ROWS: u64 = 1000;

const PAGE: &str = include_str!("log.html");
/// Placeholders in the page: the name of the camera, the relative path of the log folder, that of the index, and the
/// rows.
const NAME: &str = "{name}";
const LOG_FOLDER: &str = "{log}";
const INDEX_FOLDER: &str = "{index}";
const ROWS: &str = "<!-- rows -->";

const CSV_HEADER: &str = "sequence,time,bytes,interval_ms,lost_before\r\n";

/// The format of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// A page.
    Html,
    /// CSV (RFC 4180).
    Csv,
}

/// Responds with the last frames of the camera: as many as `rows=` requests. The default is [`PAGE_ROWS`] on the page
/// and all rows in CSV.
pub fn serve(out: ResponseOutparam, head_only: bool, camera: CameraSelector<'_>, query: Query<'_>, format: Format) {
    let is_named = camera != CameraSelector::First;
    let Some((camera, out)) = feed::find_camera(out, head_only, camera) else { return };
    let content_type = match format {
        Format::Html => "text/html; charset=utf-8",
        Format::Csv => "text/csv; charset=utf-8; header=present",
    };
    let mut headers = response::no_cache_and(&response::UNBUFFERED);
    if format == Format::Html {
        headers.push(("content-security-policy", response::CONTENT_SECURITY_POLICY));
    }
    let head = Head { status: 200, headers: &headers };
    let default = (format == Format::Html).then_some(PAGE_ROWS);
    let rows = query.get("rows").and_then(|rows| rows.parse().ok()).or(default);
    if let Some(mut writer) = response::start(out, head_only, &head, content_type, None)
        && write(&mut writer, &camera, rows, format, &page(&camera.name, is_named)).is_ok()
    {
        writer.finish();
    }
}

/// Returns the page without its rows. Links are relative, so that they work behind a proxy under any path.
fn page(camera: &str, is_named: bool) -> String {
    let (log, index) = if is_named { ("", "../") } else { ("log/", "./") };
    PAGE.replace(NAME, camera).replace(LOG_FOLDER, log).replace(INDEX_FOLDER, index)
}

/// Writes the table: up to `rows` of the frames so far.
fn write(
    writer: &mut BodyWriter,
    camera: &CameraInfo,
    rows: Option<u64>,
    format: Format,
    page: &str,
) -> Result<(), Disconnected> {
    let (before, after) = match format {
        Format::Html => page.split_once(ROWS).unwrap_or_default(),
        Format::Csv => (CSV_HEADER, ""),
    };
    writer.write(before.as_bytes())?;
    let end = camera.counts.frames;
    let start = rows.map_or(0, |rows| end.saturating_sub(rows));
    // Start one entry earlier to know the interval before the first row.
    let mut next = start.saturating_sub(1);
    let mut last: Option<Entry> = None;
    let mut text = String::new();
    while next < end {
        let limit = CHUNK_ROWS.min(u32::try_from(end - next).unwrap_or(CHUNK_ROWS));
        // The camera exists, so this cannot fail.
        let entries = list_entries(&camera.name, next, limit).unwrap_or_default();
        if entries.is_empty() {
            break;
        }
        text.clear();
        for entry in entries {
            if entry.index >= start && entry.index < end {
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
    let time = date::rfc3339(entry.wall_time.seconds, entry.wall_time.nanoseconds);
    // There is no interval before the first row, nor across entries that the host forgot while a slow client was
    // reading.
    let last = last.filter(|last| last.index + 1 == entry.index);
    let interval = last.map(|last| entry.monotonic_time.saturating_sub(last.monotonic_time)).map(milliseconds);
    let interval = interval.unwrap_or_default();
    let Entry { sequence, length, lost_before, .. } = entry;
    // Writing to a `String` cannot fail.
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

/// Formats nanoseconds as milliseconds with one decimal.
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
    fn rows_describe_frames() {
        assert_eq!(row(Format::Csv, 7, 6), "14,2023-11-14T22:13:20.000Z,30000,33.3,1\r\n");
        assert_eq!(
            row(Format::Html, 7, 6),
            "<tr class=\"lost\"><td>14</td><td>2023-11-14T22:13:20.000Z</td><td>30000</td><td>33.3</td><td>1</td></tr>\n"
        );
    }

    #[test]
    fn unknown_intervals_are_empty() {
        assert_eq!(row(Format::Csv, 7, 5), "14,2023-11-14T22:13:20.000Z,30000,,1\r\n");
    }

    #[test]
    fn the_page_contains_all_placeholders() {
        assert_eq!(PAGE.matches(ROWS).count(), 1);
        assert!([NAME, LOG_FOLDER, INDEX_FOLDER].iter().all(|placeholder| PAGE.contains(placeholder)));
        assert!(page("front", true).contains("<a href=\"front.csv\">"));
        assert!(page("front", false).contains("<a href=\"log/front.csv\">"));
    }
}
