//! The command line and its commands. The doc comments are the texts of `--help`.

#![allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::bare_urls,
    reason = "doc comments are the texts of --help, which are not Markdown"
)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::camera_spec::CameraSpec;
use super::grant_args::GrantArgs;
use super::lifetime::parse_lifetime;
use super::seconds::seconds;
use super::serve_args::{DEFAULT_GUEST_MEMORY, GUEST_MEMORY_RANGE, ServeArgs};
use crate::http::auth::Role;
use crate::http::listen::ListenAddress;

/// Serve webcams to browsers and other MJPEG clients
///
/// The web application (page, snapshots and streams) is a sandboxed WebAssembly component, the
/// guest, which you can replace under live streams. Without options, Hotshoe serves the first camera
/// of this machine, or an emulated one, at http://127.0.0.1:5000.
// clap does not wrap text, so long help is wrapped here and printed verbatim. In builds with the dependencies of tests,
// which enable wrapping, it wraps at 100 columns. So lines in the help of options, indented by 10, have up to 90
// characters.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_long_help = AFTER_LONG_HELP, verbatim_doc_comment)]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub serve: ServeArgs,
}

const AFTER_LONG_HELP: &str = "\
Environment:
  HOTSHOE_OPTION   Default of an option, such as HOTSHOE_LISTEN; one line for each value
  RUST_LOG         Log level: error, warn, info (the default), debug or trace
  CACHE_DIRECTORY  Default of --cache; systemd sets it from CacheDirectory=

Signals:
  SIGINT, SIGTERM  Shut down
  SIGHUP           Load the configuration, the guest, middleware, drivers and filters again

Examples:
  Serve the first camera to this machine:
    hotshoe

  Serve a camera to the network:
    hotshoe --camera /dev/video0,size=1280x720,fps=30 --listen :5000

  Serve two cameras, one of them a directory of JPEG files:
    hotshoe --camera front=/dev/video0 --camera yard=emulated:/srv/photos,fps=5

  Develop a guest:
    RUST_LOG=debug hotshoe --guest my-guest.wasm --watch";

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the V4L2 cameras of this machine with their formats, sizes, frame rates and controls
    Cameras,
    /// Open a camera for a few seconds, report what it delivers, and save a picture
    ///
    /// Bug reports about cameras should contain the report. The exit code is 1 without a picture.
    Probe(Box<ProbeArgs>),
    /// Hash a password for a user of the configuration
    ///
    /// Asks for the password, or reads a line from standard input, and prints the section of the user.
    Passwd(PasswdArgs),
    /// Make a token that opens pictures of cameras in URLs, such as /snapshot/front?token=TOKEN
    ///
    /// Prints the token. It needs no password, opens only pictures of cameras and what describes them, and expires.
    Token(TokenArgs),
    /// Show what a running server does, read from its admin listener
    Status(StatusArgs),
    /// Check a configuration file, or print an example of one
    Config {
        /// What to do.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Create, inspect or save a guest
    Guest {
        /// What to do.
        #[command(subcommand)]
        command: GuestCommand,
    },
    /// Generate manual pages or shell completions, as packages contain them
    #[command(hide = true)]
    Generate {
        /// What to generate.
        #[command(subcommand)]
        command: GenerateCommand,
    },
    /// Compile a guest, as a child process of a server
    #[command(hide = true)]
    Compile(CompileArgs),
    /// Compose a guest with its middleware, as a child process of a server
    #[command(hide = true)]
    Compose(CompilerArgs),
    /// Run the program of a camera, as a child process of a server
    #[command(hide = true)]
    Supervise(SuperviseArgs),
}

/// Whose password to hash.
#[derive(Args, Debug)]
pub struct PasswdArgs {
    /// Name of the user [default: print only the hash]
    pub name: Option<String>,
    /// What the user may do: view, control (also set controls) or admin (also use the admin listener)
    #[arg(long, default_value_t = Role::View)]
    pub role: Role,
}

/// Which token to make.
#[derive(Args, Debug)]
pub struct TokenArgs {
    /// Camera that the token opens (repeatable) [default: all cameras]
    #[arg(long, value_name = "NAME")]
    pub camera: Vec<String>,
    /// How long the token is valid, such as 12h, 30d or 4w
    #[arg(long = "for", value_name = "DURATION", default_value = "30d", value_parser = parse_lifetime)]
    pub lifetime: Duration,
    /// File with the secret that signs tokens; it is created if it does not exist
    ///
    /// The server needs the same file. A new secret makes all tokens invalid.
    #[arg(long, value_name = "FILE")]
    pub secret_file: PathBuf,
}

/// The arguments of the hidden command with which a server compiles a guest.
#[derive(Args, Debug)]
pub struct CompileArgs {
    /// Cache key of the artifact
    #[arg(long)]
    pub key: String,
    /// Memory limit of an instance, in bytes
    #[arg(long)]
    pub guest_memory: usize,
    /// Folder of compiled functions
    #[arg(long)]
    pub functions: Option<PathBuf>,
    /// The arguments that all commands of the compiler process have.
    #[command(flatten)]
    pub process: CompilerArgs,
}

/// The arguments that all commands of the compiler process have.
#[derive(Args, Debug)]
pub struct CompilerArgs {
    /// Length of a component on standard input, in bytes
    #[arg(long = "length")]
    pub lengths: Vec<usize>,
    /// Memory limit of this process, in bytes
    #[arg(long)]
    pub memory_limit: u64,
    /// Run at low priority, because the server may have streams
    #[arg(long)]
    pub background: bool,
    /// Number of threads that compile
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
}

/// How to probe a camera.
#[derive(Args, Debug)]
pub struct ProbeArgs {
    /// Camera to probe, as for --camera: a source with options, such as /dev/video0,size=1280x720
    #[arg(value_name = "SPEC")]
    pub camera: CameraSpec,

    /// How long to read the camera after its first picture
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    pub seconds: Duration,

    /// File for a picture, which must not exist [default: probe.jpg, probe-2.jpg, ...]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Memory limit of the camera's driver and of each of its filters, in MiB
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_GUEST_MEMORY, value_parser = clap::value_parser!(u32).range(GUEST_MEMORY_RANGE))]
    pub guest_memory: u32,

    /// Accept JPEG images without an end marker, for cameras that never send one
    #[arg(long)]
    pub allow_truncated: bool,
}

/// Which server's status to show, and how.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Address of the admin listener of the server, such as 192.168.1.7:5001, unix:PATH or tls:ADDRESS
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5001")]
    pub admin: ListenAddress,

    /// File with the token of the admin listener
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    pub token_file: Option<PathBuf>,

    /// User with the role admin
    ///
    /// Asks for the password, or reads it from standard input if that is no terminal.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// Name in the certificate of an address with tls: [default: the address]
    ///
    /// The certificate is verified with those of this system, or with the file SSL_CERT_FILE.
    #[arg(long, value_name = "NAME")]
    pub tls_name: Option<String>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The arguments of the hidden command with which a server runs the program of a camera.
#[derive(Args, Debug)]
pub struct SuperviseArgs {
    /// Become the program, which ends with its parent process, this one
    #[arg(long, value_name = "PID")]
    pub become_child_of: Option<i32>,
    /// File to run
    pub file: PathBuf,
    /// Name of the program, and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

/// What to do with configuration files.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Report all errors of a configuration file, with their lines
    ///
    /// Checks the values as the server does, but opens no camera and no file that they name. The
    /// exit code is 1 if there are errors.
    #[command(verbatim_doc_comment)]
    Check {
        /// File to check
        file: PathBuf,
    },
    /// Print a configuration file with the keys of all options and their defaults, as comments
    Example,
}

/// What to do with a guest.
#[derive(Debug, Subcommand)]
pub enum GuestCommand {
    /// List the imports of a guest, driver or filter, and whether each is granted, denied or missing
    Imports {
        /// Component to inspect [default: the built-in guest]
        file: Option<PathBuf>,
        /// What is granted.
        #[command(flatten)]
        grants: GrantArgs,
    },
    /// Create a directory with a new guest project: a page, snapshots and streams
    New {
        /// Directory to create; its name becomes the name of the project
        dir: PathBuf,
        /// Language of the guest
        #[arg(long, value_enum, default_value_t)]
        lang: Language,
        /// Copy the sources of the built-in guest, in Rust, instead of the small template
        #[arg(long)]
        full: bool,
    },
    /// Save the built-in guest, a WebAssembly component, to a file
    Save {
        /// File to write
        file: PathBuf,
    },
}

/// What to generate from the definition of the command line.
#[derive(Debug, Subcommand)]
pub enum GenerateCommand {
    /// Write the manual pages of the program and of its commands
    Man {
        /// Directory to write them to, which must exist
        dir: PathBuf,
    },
    /// Print the completions for a shell
    Completions {
        /// Shell to complete for
        shell: Shell,
    },
}

/// The language of a new guest.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Language {
    /// Rust, with cargo
    #[default]
    Rust,
    /// JavaScript, with componentize-js
    Js,
    /// Python, with componentize-py
    Python,
    /// C, with clang
    C,
}
