//! Checks an MJPEG server with many clients and prints a table of the results.
#![allow(clippy::print_stdout, reason = "the table is the output of this program")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use hotshoe_conformance::table::{self, Outcome, row};
use hotshoe_conformance::{Target, checks, write_awkward_frames};

/// Checks an MJPEG server with the clients that people use.
///
/// Exits with status 0 if all checks pass or are skipped, and with 1 otherwise.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// URL of the server
    #[arg(default_value = "http://127.0.0.1:5000")]
    url: String,
    /// Path of the stream [default: the first of /video_feed, /?action=stream and /stream that returns one]
    #[arg(long)]
    stream: Option<String>,
    /// Path of the snapshot [default: the first of /snapshot, /?action=snapshot and /snapshot.jpg that returns one]
    #[arg(long)]
    snapshot: Option<String>,
    /// Run only the checks whose category, client or description contains this text
    #[arg(long, value_name = "SUBSTRING")]
    only: Option<String>,
    /// Skip clients whose bugs keep them from reading the frames of `--write-frames`
    #[arg(long)]
    awkward: bool,
    /// List the checks without running them
    #[arg(long)]
    list: bool,
    /// Write valid JPEGs that confuse simple parsers into a folder, made from this JPEG, and run no checks
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

/// Returns whether no check failed.
fn run(arguments: &Arguments) -> Result<bool, String> {
    if let Some([jpeg, folder]) = arguments.write_frames.as_deref() {
        return write_awkward_frames(jpeg, folder).map(|()| true);
    }
    let is_selected = |row: &String| arguments.only.as_ref().is_none_or(|only| row.contains(only.as_str()));
    let rows: Vec<_> = checks()
        .into_iter()
        .filter(|check| !(arguments.awkward && check.plain_frames_only))
        .map(|check| (row(&check), check))
        .filter(|(row, _)| is_selected(row))
        .collect();
    println!("{}", table::header());
    if arguments.list {
        rows.iter().for_each(|(row, _)| println!("{row}"));
        return Ok(true);
    }
    let target = Target::find(&arguments.url, arguments.stream.as_deref(), arguments.snapshot.as_deref())?;
    let start = Instant::now();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (row, check) in rows {
        // Show which check is running.
        print!("{row} | ");
        let _ = std::io::stdout().flush();
        let outcome = table::run(&check, &target);
        println!("{}", table::outcome(&outcome));
        match outcome {
            Outcome::Pass => passed += 1,
            Outcome::Fail(_) => failed += 1,
            Outcome::Skipped(_) => skipped += 1,
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped in {:.0?}", start.elapsed());
    Ok(failed == 0)
}
