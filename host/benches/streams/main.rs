//! The cost of a stream: Hotshoe compared with two minimal servers, with the same pictures, in the same run.
//!
//! ```text
//! cargo bench --bench streams                    # all tables, three rounds each: twenty minutes
//! cargo bench --bench streams -- slow connects   # only these tables
//! cargo bench --bench streams -- 100 300         # only the table `cost`, with these numbers of viewers
//! cargo bench --bench streams -- 100kB 1000      # only with frames of this size
//! cargo bench --bench streams -- fakecam 1       # the table `fakecam` has such rows, too
//! ```
//!
//! The server runs on one processor and the viewers on another. Compare the ratios to the server on hyper, which are
//! medians of the rounds: absolute times differ between machines, and on one machine from hour to hour.
//!
//! The tables:
//!
//! * `cost`: processor time, latency and memory. Takes three quarters of the time.
//! * `slow`: a viewer that reads slowly, and the viewers beside it.
//! * `crowd`: the cost of many viewers that read slowly beside as many that keep up.
//! * `first`: the time to the first frame for many viewers that connect at once.
//! * `connects`: how many viewers can come and go per second.
//! * `start`: the time from the start of the server to the first frame.
//! * `fakecam`: the cost of viewers of a V4L2 camera, compared with a server on hyper that reads the same camera.
//! * `memory`: the memory for each viewer.
//! * `busy`: viewers beside downloads on the same processors.
//! * `relay`: the cost of a server whose camera is another server.
//! * `programs`: the cost of a program as a camera, compared with a V4L2 camera.
//!
//! The other modules:
//!
//! * `servers`: the servers that are measured; `reference`: the minimal servers among them.
//! * `figures`: medians, percentiles and ratios.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking, and prints"
)]

mod busy;
mod connects;
mod cost;
mod crowd;
mod fakecam;
mod figures;
mod first;
mod memory;
mod programs;
mod reference;
mod relay;
mod servers;
mod slow;
mod start;

const ROUNDS: usize = 3;

type Table = (&'static str, fn(&Selection));

const TABLES: [Table; 11] = [
    ("cost", cost::table),
    ("slow", slow::table),
    ("crowd", crowd::table),
    ("first", first::table),
    ("connects", connects::table),
    ("start", start::table),
    ("fakecam", fakecam::table),
    ("memory", memory::table),
    ("busy", busy::table),
    ("relay", relay::table),
    ("programs", programs::table),
];

/// What the command line selects. An empty list selects everything.
#[derive(Default)]
struct Selection {
    tables: Vec<String>,
    viewers: Vec<usize>,
    /// Frame sizes in kB.
    sizes: Vec<usize>,
}

impl Selection {
    fn parse(args: impl Iterator<Item = String>) -> Self {
        let mut selection = Self::default();
        // cargo adds `--bench`.
        for arg in args.filter(|arg| !arg.starts_with('-')) {
            if let Ok(viewers) = arg.parse() {
                selection.viewers.push(viewers);
            } else if let Some(size) = arg.strip_suffix("kB").and_then(|size| size.parse().ok()) {
                selection.sizes.push(size);
            } else {
                assert!(TABLES.iter().any(|(name, _)| *name == arg), "unknown table {arg}");
                selection.tables.push(arg);
            }
        }
        // Only `cost` and `fakecam` have numbers of viewers and sizes to select from.
        if selection.tables.is_empty() && (!selection.viewers.is_empty() || !selection.sizes.is_empty()) {
            selection.tables.push("cost".to_owned());
        }
        selection
    }
}

fn main() {
    if servers::run_role() {
        return;
    }
    let selection = Selection::parse(std::env::args().skip(1));
    servers::pin_load();
    let mut is_first = true;
    for (name, table) in TABLES {
        if selection.tables.is_empty() || selection.tables.iter().any(|table| table == name) {
            if !is_first {
                println!();
            }
            is_first = false;
            table(&selection);
        }
    }
}
