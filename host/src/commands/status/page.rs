//! The status as a page of text.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::channels::ChannelReport;
use crate::status::Status;
use crate::status::report::{Camera, Component, Guest, Process, Swaps};
use crate::swap::Refusal;

/// The most characters of a cell, so that a long name does not make the table wide.
const MAX_CELL: usize = 60;

/// Columns that contain texts.
const TEXT_COLUMNS: [&str; 2] = ["state", "mode"];

/// Formats the status for people.
pub(super) fn render(status: &Status) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut page = format!("hotshoe {}\n", status.version);
    // Writing to a string cannot fail.
    let _ = writeln!(page, "  {}\n", process(&status.process, now));
    page += &cameras(&status.cameras);
    page += &channels(&status.channels);
    page += &guest(&status.guest, now);
    for component in &status.components {
        page += &self::component(component, now);
    }
    let requests = &status.requests;
    let by_status: Vec<_> = requests.by_status.iter().map(|(status, count)| format!("{count} with {status}")).collect();
    let by_status = if by_status.is_empty() { "none ended".to_owned() } else { by_status.join(", ") };
    let _ = writeln!(
        page,
        "Requests\n  {}, {} in progress; {by_status}",
        plural(requests.connections as u64, "connection"),
        requests.in_progress
    );
    let mean = requests.first_byte.sum / requests.first_byte.count as f64;
    if mean.is_finite() {
        let _ = writeln!(page, "  {:.1} ms to the first byte on average", mean * 1000.0);
    }
    let instances = status.instances.iter().filter(|usage| usage.count > 0 || usage.run_seconds > 0.0);
    let instances: Vec<_> = instances
        .map(|usage| {
            let memory = bytes(usage.memory as u64);
            vec![usage.role.clone(), usage.count.to_string(), memory, duration(usage.run_seconds)]
        })
        .collect();
    page + "\n" + &table(&["Instances of", "count", "memory", "have run"], &instances)
}

fn process(process: &Process, now: f64) -> String {
    let mut parts = vec![format!("process {}", process.pid)];
    parts.extend(process.started.map(|started| format!("up {}", duration(now - started))));
    parts.extend(process.cpu_seconds.map(|seconds| format!("{} of processor time", duration(seconds))));
    parts.extend(process.resident_bytes.map(|size| format!("{} of memory", bytes(size))));
    parts.extend(process.threads.map(|count| plural(count, "thread")));
    parts.extend(process.open_files.map(|count| match process.max_open_files {
        Some(limit) => format!("{count} of {limit} files"),
        None => plural(count, "file"),
    }));
    parts.join(", ")
}

fn cameras(cameras: &[Camera]) -> String {
    let rows: Vec<_> = cameras
        .iter()
        .map(|camera| {
            let lost: u64 = camera.lost.values().sum();
            vec![
                camera.name.clone(),
                camera.state.clone(),
                format!("{:.1}", camera.rate),
                camera.age.map_or_else(|| "-".to_owned(), |age| format!("{age:.2} s")),
                camera.frames.to_string(),
                lost.to_string(),
                camera.readers.to_string(),
                camera.mode.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        })
        .collect();
    let mut text = table(&["Camera", "state", "fps", "age", "frames", "lost", "readers", "mode"], &rows);
    for camera in cameras {
        if let Some(outage) = &camera.outage {
            let _ = writeln!(text, "  {}: {}", camera.name, printable(&outage.message));
        }
        for filter in &camera.filters {
            let cost = filter.cost * 1000.0;
            let description = printable(&filter.description);
            let _ = writeln!(
                text,
                "  {}: filtered by {description}, {:.1} fps, {cost:.1} ms per frame, {} failed",
                camera.name,
                filter.rate,
                plural(filter.failed, "frame")
            );
        }
        if camera.results > 0 {
            let _ = writeln!(text, "  {}: results attached {}", camera.name, plural(camera.results, "time"));
        }
    }
    text + "\n"
}

fn channels(channels: &[ChannelReport]) -> String {
    let rows: Vec<_> = channels
        .iter()
        .map(|channel| {
            let ChannelReport { name, viewers, pushed, sent, skipped, bytes: size } = channel;
            vec![
                name.clone(),
                viewers.to_string(),
                pushed.to_string(),
                sent.to_string(),
                skipped.to_string(),
                bytes(*size),
            ]
        })
        .collect();
    match rows.is_empty() {
        true => String::new(),
        false => table(&["Channel", "viewers", "parts", "sent", "skipped", "bytes"], &rows) + "\n",
    }
}

fn guest(guest: &Guest, now: f64) -> String {
    let Guest { generation, from, since, requests, failures, draining, .. } = guest;
    let mut text = format!(
        "Guest\n  generation {generation}, {}, for {}: {}, {}\n",
        printable(from),
        duration(now - since),
        plural(*requests, "request"),
        plural(*failures, "failure")
    );
    if !guest.healthy {
        text += "  it has failed its probation, and there is no other guest\n";
    }
    if *draining > 0 {
        let _ = writeln!(text, "  {} with responses in progress", plural(*draining as u64, "earlier generation"));
    }
    text + &history(&guest.swaps, guest.refused.as_ref(), now) + "\n"
}

fn component(component: &Component, now: f64) -> String {
    let Component { camera, role, number, from, generation, refused, swaps } = component;
    let number = number.map(|number| format!(" {number}")).unwrap_or_default();
    let current = match (generation, from) {
        (Some(generation), Some(from)) => format!("generation {generation}, {}", printable(from)),
        _ => "not loaded".to_owned(),
    };
    format!("Camera {camera}, {role}{number}\n  {current}\n{}\n", history(swaps, refused.as_ref(), now))
}

/// How often a component was replaced, and why the last one was refused.
fn history(swaps: &Swaps, refused: Option<&Refusal>, now: f64) -> String {
    let refusals: u64 = swaps.refused.values().sum();
    let rollbacks = swaps.rolled_back + swaps.failed_over;
    let mut text = String::new();
    if swaps.replaced + rollbacks + refusals > 0 {
        let _ = writeln!(text, "  replaced {}, rolled back {rollbacks}, refused {refusals} times", swaps.replaced);
    }
    if let Some(Refusal { reason, at }) = refused {
        let _ = writeln!(text, "  last refused or rolled back {} ago: {}", duration(now - at), printable(reason));
    }
    text
}

/// Formats a table with a heading, whose rows are indented. Columns with texts are aligned to the left, others to the
/// right.
fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = heading.iter().map(|text| (*text).to_owned()).collect();
    let rows = rows.iter().map(|row| {
        let mut row: Vec<_> = row.iter().map(|text| limited(&printable(text))).collect();
        if let Some(first) = row.first_mut() {
            first.insert_str(0, "  ");
        }
        row
    });
    let rows: Vec<Vec<String>> = [heading.clone()].into_iter().chain(rows).collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count()).max().unwrap_or_default()
    };
    let columns: Vec<_> = heading.iter().enumerate().map(|(index, name)| (name.as_str(), width(index))).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&columns).enumerate().map(|(index, (text, (name, width)))| {
            let is_text = index == 0 || TEXT_COLUMNS.contains(name);
            if is_text { format!("{text:width$}") } else { format!("{text:>width$}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn limited(text: &str) -> String {
    match text.chars().count() > MAX_CELL {
        true => text.chars().take(MAX_CELL - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// A number of things, such as `1 frame` or `2 frames`.
fn plural(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

/// Replaces characters that would control the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

fn bytes(count: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {name}") }
}

fn duration(seconds: f64) -> String {
    // Clocks of two machines may differ, and negative numbers become 0.
    let whole = seconds as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match whole {
        0..10 => format!("{:.1} s", seconds.max(0.0)),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{minutes} min {} s", whole % 60),
        3600..86_400 => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let row = |texts: [&str; 3]| texts.map(str::to_owned).to_vec();
        let text = table(&["Camera", "fps", "mode"], &[row(["front", "29.9", "640x480"]), row(["a", "5", "\u{1b}-"])]);
        assert_eq!(text, "Camera    fps  mode\n  front  29.9  640x480\n  a         5   -\n");
    }

    #[test]
    fn the_last_refusal_may_be_a_rollback() {
        let swaps = Swaps { replaced: 2, failed_over: 1, ..Swaps::default() };
        let refusal = Refusal { reason: "it failed\n3 times".to_owned(), at: 940.0 };
        assert_eq!(
            history(&swaps, Some(&refusal), 1000.0),
            "  replaced 2, rolled back 1, refused 0 times\n  last refused or rolled back 1 min 0 s ago: it failed \
             3 times\n"
        );
    }

    #[test]
    fn one_thing_is_singular() {
        assert_eq!(
            [0, 1, 2].map(|count| plural(count, "connection")),
            ["0 connections", "1 connection", "2 connections"]
        );
    }

    #[test]
    fn numbers_have_units() {
        assert_eq!(
            [bytes(999), bytes(1000), bytes(999_999), bytes(12_345_678)],
            ["999 B", "1.0 kB", "1.0 MB", "12.3 MB"]
        );
        let durations = [0.25, 59.9, 61.0, 7265.0, 200_000.0, -5.0].map(duration);
        assert_eq!(durations, ["0.2 s", "59 s", "1 min 1 s", "2 h 1 min", "2 d 7 h", "0.0 s"]);
    }
}
