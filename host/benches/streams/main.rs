//! What a stream costs: Hotshoe against two servers written by hand, on the same pictures, in the same run.
//!
//! ```text
//! cargo bench --bench streams                    # all tables, three rounds each: twenty minutes
//! cargo bench --bench streams -- slow connects   # only these tables
//! cargo bench --bench streams -- 100 300         # only the first table, and of it these numbers of viewers
//! cargo bench --bench streams -- 100kB 1000      # and only frames of this size
//! ```
//!
//! The server has one processor and the viewers another. The figures that count are the ratios to the server on
//! hyper, each the median over the rounds: absolute times differ between machines, and on one machine from hour to
//! hour.
//!
//! The tables, by the names that they are asked for with:
//!
//! * `cost`: what viewers cost: processor time, latency, memory. Three quarters of the time go into it.
//! * `slow`: what a viewer that reads slowly gets, and what the others notice of it.
//! * `crowd`: what many viewers that read slowly cost beside as many that keep up.
//! * `first`: how long many who come at once wait for their first frame.
//! * `connects`: how many can come and go in a second.
//! * `start`: how long it takes from the start of the server to a frame.
//! * `fakecam`: what viewers of a V4L2 camera cost.
//! * `memory`: what a viewer takes of it.
//! * `busy`: what viewers notice of downloads on the same processors.
//!
//! And what they are made with:
//!
//! * `load`: many viewers; `viewer`: one, and what it sees.
//! * `servers`: those that are measured; `reference`: of them, those to compare with.
//! * `figures`: medians and the like.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark ends at what goes wrong, and prints"
)]

mod busy;
mod connects;
mod cost;
mod crowd;
mod fakecam;
mod figures;
mod first;
mod load;
mod memory;
mod reference;
mod servers;
mod slow;
mod start;
mod viewer;

const ROUNDS: usize = 3;

type Table = (&'static str, fn(&Asked));

const TABLES: [Table; 9] = [
    ("cost", cost::table),
    ("slow", slow::table),
    ("crowd", crowd::table),
    ("first", first::table),
    ("connects", connects::table),
    ("start", start::table),
    ("fakecam", fakecam::table),
    ("memory", memory::table),
    ("busy", busy::table),
];

/// What was asked for on the command line; all there is, where nothing was.
#[derive(Default)]
struct Asked {
    tables: Vec<String>,
    viewers: Vec<usize>,
    /// In kB.
    sizes: Vec<usize>,
}

impl Asked {
    fn parse(args: impl Iterator<Item = String>) -> Self {
        let mut asked = Self::default();
        // cargo adds `--bench`.
        for arg in args.filter(|arg| !arg.starts_with('-')) {
            if let Ok(viewers) = arg.parse() {
                asked.viewers.push(viewers);
            } else if let Some(size) = arg.strip_suffix("kB").and_then(|size| size.parse().ok()) {
                asked.sizes.push(size);
            } else {
                assert!(TABLES.iter().any(|(name, _)| *name == arg), "there is no table {arg}");
                asked.tables.push(arg);
            }
        }
        // Only the first has them.
        if asked.tables.is_empty() && (!asked.viewers.is_empty() || !asked.sizes.is_empty()) {
            asked.tables.push("cost".to_owned());
        }
        asked
    }
}

fn main() {
    servers::serve_if_told();
    let asked = Asked::parse(std::env::args().skip(1));
    servers::pin_load();
    let mut is_first = true;
    for (name, table) in TABLES {
        if asked.tables.is_empty() || asked.tables.iter().any(|table| table == name) {
            if !is_first {
                println!();
            }
            is_first = false;
            table(&asked);
        }
    }
}
