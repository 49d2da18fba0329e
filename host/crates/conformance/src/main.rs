//! Checks a server of MJPEG over HTTP with its clients, and prints what each of them says.
#![allow(clippy::print_stdout, reason = "the table is what this program is for")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use hotshoe_conformance::table::{Outcome, head, outcome, row, try_check};
use hotshoe_conformance::{Target, checks, write_awkward_frames};

/// Checks a server of MJPEG over HTTP with its clients.
///
/// Ends with 0 if no client had a complaint, else with 1.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The server.
    #[arg(default_value = "http://127.0.0.1:5000")]
    url: String,
    /// Path of the stream. Else the first of /video_feed, /?action=stream and /stream that answers as one.
    #[arg(long)]
    stream: Option<String>,
    /// Path of a single picture. Else the first of /snapshot, /?action=snapshot and /snapshot.jpg.
    #[arg(long)]
    snapshot: Option<String>,
    /// Only rows that have this in their category, client or description.
    #[arg(long, value_name = "SUBSTRING")]
    only: Option<String>,
    /// Leaves out rows of clients that cannot read the frames of `--write-frames`, by their own fault.
    #[arg(long)]
    awkward: bool,
    /// Prints the rows and checks nothing.
    #[arg(long)]
    list: bool,
    /// Writes JPEGs that try parsers into a folder, made from this JPEG, and checks nothing.
    #[arg(long, num_args = 2, value_names = ["JPEG", "FOLDER"])]
    write_frames: Option<Vec<PathBuf>>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hotshoe-conformance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, String> {
    if let Some([jpeg, folder]) = arguments.write_frames.as_deref() {
        return write_awkward_frames(jpeg, folder).map(|()| true);
    }
    let wanted = |row: &String| arguments.only.as_ref().is_none_or(|only| row.contains(only.as_str()));
    let rows: Vec<_> = checks()
        .into_iter()
        .filter(|check| !(arguments.awkward && check.plain_only))
        .map(|check| (row(&check), check))
        .filter(|(row, _)| wanted(row))
        .collect();
    println!("{}", head());
    if arguments.list {
        rows.iter().for_each(|(row, _)| println!("{row}"));
        return Ok(true);
    }
    let target = Target::find(&arguments.url, arguments.stream.as_deref(), arguments.snapshot.as_deref())?;
    let started = Instant::now();
    let (mut passed, mut failed, mut missing) = (0, 0, 0);
    for (row, check) in rows {
        // The row is there before its outcome, so that a slow one is seen.
        print!("{row} | ");
        let _ = std::io::stdout().flush();
        let result = try_check(&check, &target);
        println!("{}", outcome(&result));
        match result {
            Outcome::Pass => passed += 1,
            Outcome::Fail(_) => failed += 1,
            Outcome::Needs(_) => missing += 1,
        }
    }
    println!("{passed} pass, {failed} fail, {missing} lack a program, in {:.0?}", started.elapsed());
    Ok(failed == 0)
}
