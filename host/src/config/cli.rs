//! The command line, as it is typed. What it means is decided in [`super`].

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::admin_address::AdminAddress;
use super::camera_spec::CameraSpec;
use crate::http::listen::ListenAddress;
use crate::http::policy::{AllowedHost, AllowedOrigin};
use crate::http::proxies::TrustedProxy;

/// A camera server whose web side is a sandboxed WebAssembly component
///
/// Without arguments it serves the first camera it finds, or else an emulated one, at http://127.0.0.1:5000.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub serve: ServeArgs,
}

const AFTER_HELP: &str = "\
Examples:
  hotshoe
  hotshoe --camera /dev/video0,size=1280x720,fps=30 --listen 0.0.0.0:5000
  hotshoe --camera front=/dev/video0 --camera yard=emulated:pictures,fps=5
  hotshoe --guest my-guest.wasm --watch
  RUST_LOG=debug hotshoe --guest my-guest.wasm";

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the V4L2 cameras of this machine with their formats, sizes, rates and controls
    Cameras,
    /// Make a guest of your own, see what one can reach, or save the built-in one
    Guest {
        /// What to do.
        #[command(subcommand)]
        command: GuestCommand,
    },
    /// Compile a guest, which the server has done by this in a process of its own
    #[command(hide = true)]
    Compile(CompileArgs),
}

/// What to compile. Not for people.
#[derive(Args, Debug)]
pub struct CompileArgs {
    /// The key of the artifact
    #[arg(long)]
    pub key: String,
    /// The length of the component, in bytes
    #[arg(long)]
    pub length: usize,
    /// How much memory an instance may use, in bytes
    #[arg(long)]
    pub guest_memory: usize,
    /// How much memory compiling may take, in bytes
    #[arg(long)]
    pub memory_limit: u64,
    /// Whether there are streams, which come first
    #[arg(long)]
    pub background: bool,
}

/// What to do with a guest.
#[derive(Debug, Subcommand)]
pub enum GuestCommand {
    /// Print what a guest can reach: its imports, and there is nothing else
    Imports {
        /// The component; the built-in guest unless given
        file: Option<PathBuf>,
    },
    /// Make a folder with a guest of your own, to start from: the sources of the built-in one
    New {
        /// The folder to make; its name is the guest's
        dir: PathBuf,
    },
    /// Write the built-in guest, a WebAssembly component, to a file
    Save {
        /// The file to write
        file: PathBuf,
    },
}

/// How to serve.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// A camera: [NAME=]auto, emulated, emulated:DIR or a device's path, then any of ,size=WxH ,fps=RATE
    /// ,format=CODE ,quality=1..100 ,control=NAME:VALUE ,label=TEXT ,keep-open. A comma in a path or a text is
    /// doubled. May be given several times
    #[arg(long = "camera", value_name = "SPEC", default_value = "auto")]
    pub cameras: Vec<CameraSpec>,

    /// Where to serve: ADDRESS:PORT; localhost:PORT or PORT for this machine alone; :PORT for all addresses; or unix:PATH.
    /// Port 0 takes a free one. May be given several times
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000")]
    pub listen: Vec<ListenAddress>,

    /// The guest: a WebAssembly component file to serve with, instead of the built-in one
    #[arg(long, value_name = "FILE")]
    pub guest: Option<PathBuf>,

    /// Watch the guest's file, and serve by what is put there, under live streams
    #[arg(long, requires = "guest")]
    pub watch: bool,

    /// How long responses go on when their guest was replaced; then they are ended, and clients reconnect
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub drain: Duration,

    /// Where guests can be replaced by HTTP: an address as for --listen, or off [default: 127.0.0.1:5001]
    #[arg(long, value_name = "ADDRESS|off")]
    pub admin: Option<AdminAddress>,

    /// A file with a token that requests to the admin listener must carry; for addresses other than loopback
    #[arg(long, value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,

    /// Where compiled guests are kept [default: hotshoe in the user's cache folder]
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    pub cache: Option<PathBuf>,

    /// Keep no compiled guests: each start compiles
    #[arg(long)]
    pub no_cache: bool,

    /// How long a camera stays open after its last reader has gone
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub linger: Duration,

    /// Let the guest set cameras' controls: then everyone who can watch can change them
    #[arg(long)]
    pub allow_control: bool,

    /// A site whose pages may read what is served, and set controls where those are allowed: such as
    /// `http://printer.local`, or `*` for all. May be given several times
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<AllowedOrigin>,

    /// A host name to answer to, such as `cam.example.com`, `*.example.com`, or `*` for all. Needed only for names that
    /// can be registered in the public DNS. May be given several times
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<AllowedHost>,

    /// A reverse proxy whose `Forwarded` and `X-Forwarded-*` headers are believed, or `none`. May be given several times
    #[arg(long, value_name = "ADDRESS[/PREFIX]", default_values = ["127.0.0.0/8", "::1"])]
    pub trusted_proxy: Vec<TrustedProxy>,

    /// Take images without an end, for cameras that never send one
    #[arg(long)]
    pub allow_truncated: bool,

    /// How many streams are served at once, and beside them how many other requests; those beyond get 503
    #[arg(long, value_name = "COUNT", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_requests: u32,

    /// How many connections may be open [default: as many as --max-requests needs, or the limit on open files allows]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: Option<u32>,

    /// How many connections one address may have, or one client of a trusted proxy requests at once
    #[arg(long, value_name = "COUNT", default_value = "256", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections_per_address: u32,

    /// How long the guest may take to begin its answer; after that the answer is 504
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub answer_timeout: Duration,

    /// How much memory one instance of the guest may use, in MiB
    #[arg(long, value_name = "MIB", default_value = "32", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub guest_memory: u32,
}

/// A number of seconds, with decimals where wanted.
fn seconds(typed: &str) -> Result<Duration, String> {
    typed
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        // A year; beyond, sums with the clock could overflow.
        .filter(|duration| duration.as_secs() < 31_536_000)
        .ok_or_else(|| format!("`{typed}` is not a number of seconds, such as 10 or 0.5"))
}
