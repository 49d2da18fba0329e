//! The options for serving.

#![allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::bare_urls,
    reason = "doc comments are the texts of --help, which are not Markdown"
)]

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::accounts::Accounts;
use super::camera_spec::CameraSpec;
use super::grant_args::GrantArgs;
use super::option_values::OptionValues;
use super::seconds::seconds;
use super::side_address::SideAddress;
use crate::http::listen::ListenAddress;
use crate::http::observe::AccessLogFormat;
use crate::http::policy::{AllowedHost, AllowedOrigin};
use crate::http::proxies::TrustedProxy;
use crate::logging::LogFormat;

/// The values of --guest-memory, in MiB.
pub(super) const DEFAULT_GUEST_MEMORY: u32 = 32;
pub(super) const GUEST_MEMORY_RANGE: RangeInclusive<i64> = 1..=4096;

/// How to serve.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Configuration file, in TOML
    ///
    /// Keys are the names of options with `_` for `-`, and a section [cameras.NAME] is a camera.
    /// Options of the command line and variables of the environment replace those of the file.
    /// `hotshoe config example` prints a file with the keys of all options.
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    pub config: Option<PathBuf>,

    /// Camera to serve, such as /dev/video0,fps=30 (repeatable)
    ///
    /// A camera is [NAME=]SOURCE[,OPTION]... Its name appears in paths, such as /snapshot/front.
    ///
    /// Sources:
    ///   auto          The first V4L2 device that delivers pictures, or else `emulated`
    ///   PATH          A V4L2 device, such as /dev/video0 or a link in /dev/v4l/by-id
    ///   http://…      An MJPEG stream, or a JPEG image to request repeatedly; also https://…
    ///   rpicam[:N]    Camera module N of a Raspberry Pi
    ///   exec:COMMAND  A program that writes JPEG images to its standard output
    ///   stdin         JPEG images on standard input
    ///   pipe:PATH     JPEG images from a named pipe
    ///   component:FILE
    ///                 A driver, which is a WebAssembly component
    ///   emulated      Three built-in pictures
    ///   emulated:DIR  The JPEG files in a directory, in a loop
    ///   emulated:test-pattern
    ///                 A picture with the time and the frame number
    ///
    /// Options:
    ///   size=WIDTHxHEIGHT   Picture size to request
    ///   fps=RATE            Frames per second, at most
    ///   format=CODE         Pixel format to request, such as MJPG or YUYV, or `auto`
    ///   quality=1..100      JPEG quality, unless the camera delivers JPEG
    ///   crop=WIDTHxHEIGHT+LEFT+TOP
    ///                       Part of the picture of a device to serve
    ///   rotate=90|180|270   Degrees to turn the picture clockwise
    ///   flip=horizontal|vertical|both
    ///                       Direction to mirror the picture in, after rotate=
    ///   input=NAME          Input of a capture device, by name or number
    ///   standard=NAME       Video standard of an analogue input, such as PAL
    ///   buffers=COUNT       Number of buffers in the driver [default: 4]
    ///   control=NAME:VALUE  Device control to set; add more as ,NAME:VALUE
    ///   credentials=FILE    File with USER:PASSWORD for a network camera
    ///   insecure            Accept any certificate of a network camera
    ///   dir=DIR             Directory whose files a component may read, at /
    ///   env=KEY:VALUE       Value in the environment of a component
    ///   env-file=KEY:FILE   The same, with the value from a file
    ///   allow-outgoing=ORIGIN
    ///                       Server that a component may send HTTP requests to
    ///   NAME=VALUE          Any other option of a component
    ///   filter=FILE[?KEY=VALUE[&KEY=VALUE]...]
    ///                       WebAssembly component that every frame passes (repeatable)
    ///   label=TEXT          Display name
    ///   remember=SECONDS    Remember the frames of the last seconds, for /clip
    ///   keep-open           Keep the camera open without viewers
    ///
    /// Double a comma within a path or value.
    /// `hotshoe cameras` lists devices, formats and controls.
    #[arg(
        long = "camera",
        value_name = "SPEC",
        default_value = "auto",
        help_heading = "Cameras",
        verbatim_doc_comment
    )]
    pub cameras: Vec<CameraSpec>,

    /// How long a camera stays open after its last viewer leaves
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds, help_heading = "Cameras")]
    pub linger: Duration,

    /// Accept JPEG images without an end marker, for cameras that never send one
    #[arg(long, help_heading = "Cameras")]
    pub allow_truncated: bool,

    /// Let viewers change camera controls, such as brightness
    ///
    /// The built-in guest then changes controls for everyone who can watch.
    #[arg(long, help_heading = "Cameras")]
    pub allow_control: bool,

    /// Address to listen at, such as :5000 for the network (repeatable)
    ///
    /// ADDRESS:PORT           One address, such as 192.168.1.7:5000 or [::1]:5000
    /// :PORT                  All addresses, IPv4 and IPv6
    /// PORT, localhost:PORT   This machine only
    /// unix:PATH              A Unix socket
    /// systemd, systemd:NAME  Sockets that systemd has opened: all, or those with this name
    /// tls:ADDRESS            Any of these with TLS, such as tls::5443
    ///
    /// Port 0 selects a free port. Without users, everyone who can connect can watch.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:5000",
        help_heading = "Listening",
        verbatim_doc_comment
    )]
    pub listen: Vec<ListenAddress>,

    /// Certificate for addresses with TLS, a PEM file with the whole chain
    ///
    /// Hotshoe reads it again when it changes. Streams continue, and new connections get the new
    /// certificate.
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "Listening", verbatim_doc_comment)]
    pub tls_certificate: Option<PathBuf>,

    /// Private key of the certificate, a PEM file that no other user can read
    #[arg(long, value_name = "FILE", requires = "tls_certificate", help_heading = "Listening")]
    pub tls_key: Option<PathBuf>,

    /// Public host name to answer to, such as cam.example.com (repeatable)
    ///
    /// Hotshoe always answers to addresses, to names of this machine and to names outside the
    /// public DNS, such as printer.local. It refuses other names, because their owners could make
    /// them resolve to this machine and read its responses in a browser (DNS rebinding).
    ///
    /// Use *.example.com for all subdomains, or * for any name.
    #[arg(long, value_name = "NAME", help_heading = "Listening", verbatim_doc_comment)]
    pub allow_host: Vec<AllowedHost>,

    /// Site whose pages may read responses, such as http://printer.local (repeatable)
    ///
    /// With --allow-control, its pages may also change controls. Use * for all sites.
    #[arg(long, value_name = "ORIGIN", help_heading = "Listening")]
    pub allow_origin: Vec<AllowedOrigin>,

    /// Reverse proxy whose forwarding headers to trust (repeatable)
    ///
    /// An address, a network such as 10.0.0.0/8, or `none`. Headers: Forwarded and X-Forwarded-*.
    #[arg(
        long,
        value_name = "ADDRESS[/PREFIX]",
        default_values = ["127.0.0.0/8", "::1"],
        help_heading = "Listening"
    )]
    pub trusted_proxy: Vec<TrustedProxy>,

    /// Limit on streams, and separately on other requests in progress
    ///
    /// Further requests get 503.
    #[arg(
        long,
        value_name = "COUNT",
        default_value = "1000",
        value_parser = clap::value_parser!(u32).range(1..=100_000),
        help_heading = "Limits"
    )]
    pub max_requests: u32,

    /// Limit on open connections [default: enough for --max-requests]
    ///
    /// The limit on open files (`ulimit -n`) may lower it. At the limit, Hotshoe closes the
    /// connection that has been idle longest. If none is idle, further ones get 503.
    #[arg(
        long,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
        help_heading = "Limits",
        verbatim_doc_comment
    )]
    pub max_connections: Option<u32>,

    /// Limit on open connections from one client address
    ///
    /// For clients of a trusted proxy, it limits requests in progress. Further ones get 429.
    #[arg(
        long,
        value_name = "COUNT",
        default_value = "256",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
        help_heading = "Limits"
    )]
    pub max_connections_per_address: u32,

    /// Guest to serve, a WebAssembly component [default: the built-in guest]
    #[arg(long, value_name = "FILE", help_heading = "Guest")]
    pub guest: Option<PathBuf>,

    /// Middleware in front of the guest, a WebAssembly component (repeatable)
    ///
    /// Requests pass through the first one first. Middleware imports and exports
    /// wasi:http/incoming-handler, or wasi:http/handler for a guest of WASI 0.3. One that exports
    /// hotshoe:server/worker works beside the guest. Middleware stays when the guest is replaced.
    #[arg(long = "wrap", value_name = "FILE", help_heading = "Guest", verbatim_doc_comment)]
    pub middleware: Vec<PathBuf>,

    /// Replace the guest, middleware, drivers and filters whenever their files change, under live streams
    #[arg(long, help_heading = "Guest")]
    pub watch: bool,

    /// How long responses of a replaced guest may continue
    ///
    /// Hotshoe then ends them, and clients reconnect to the new guest.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds, help_heading = "Guest")]
    pub drain: Duration,

    /// How long the guest may take to begin a response
    ///
    /// Then the client gets 504.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds, help_heading = "Guest")]
    pub answer_timeout: Duration,

    /// Memory limit of one instance of the guest, a driver or a filter, in MiB
    #[arg(
        long,
        value_name = "MIB",
        default_value_t = DEFAULT_GUEST_MEMORY,
        value_parser = clap::value_parser!(u32).range(GUEST_MEMORY_RANGE),
        help_heading = "Guest"
    )]
    pub guest_memory: u32,

    /// Directory for compiled guests [default: hotshoe in the user's cache directory]
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache", help_heading = "Guest")]
    pub cache: Option<PathBuf>,

    /// Do not store compiled guests, which makes every start slower
    #[arg(long, help_heading = "Guest")]
    pub no_cache: bool,

    /// What to grant to guests.
    #[command(flatten)]
    pub grants: GrantArgs,

    /// File for what the guest stores with wasi:keyvalue [default: in memory]
    ///
    /// It is created if it does not exist. Each server needs its own.
    #[arg(long, value_name = "FILE", help_heading = "Guest grants")]
    pub guest_store: Option<PathBuf>,

    /// File with users and their passwords, and with the secret of tokens
    ///
    /// With it, every request needs a user or a token. A section [users.NAME] has the keys
    /// `password` (from `hotshoe passwd`), or `password_file`, and `role`. A section [tokens] has
    /// `secret_file` (from `hotshoe token`), and `revoked`, a list of ids. SIGHUP reads the file
    /// again.
    #[arg(long, value_name = "FILE", help_heading = "Administration", verbatim_doc_comment)]
    pub users: Option<PathBuf>,

    /// Address of the admin listener, or `off` [default: 127.0.0.1:5001]
    ///
    /// Takes the same addresses as --listen. Everyone who can connect can replace the guest and
    /// the drivers of cameras, unless --admin-token-file or --users is set.
    #[arg(long, value_name = "ADDRESS|off", help_heading = "Administration", verbatim_doc_comment)]
    pub admin: Option<SideAddress>,

    /// File with the token that admin requests must carry
    ///
    /// Required if other machines can reach the admin listener, unless --users has a user with
    /// the role admin. Requests carry the token as `Authorization: Bearer TOKEN`.
    #[arg(long, value_name = "FILE", help_heading = "Administration", verbatim_doc_comment)]
    pub admin_token_file: Option<PathBuf>,

    /// Address of a listener with metrics for Prometheus, or `off` [default: off]
    ///
    /// Takes the same addresses as --listen. Everyone who can connect can read the metrics, at
    /// /metrics. The admin listener has them as well.
    #[arg(long, value_name = "ADDRESS|off", help_heading = "Observation", verbatim_doc_comment)]
    pub metrics: Option<SideAddress>,

    /// Log of requests on standard output: off, text or json
    ///
    /// `text` is the combined log format of Apache and nginx. A stream is logged when it ends.
    #[arg(long, value_name = "FORMAT", default_value = "off", help_heading = "Observation")]
    pub access_log: AccessLogFormat,

    /// Format of the log on standard error: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Observation")]
    pub log_format: LogFormat,

    /// The users and tokens of the configuration file.
    #[arg(skip)]
    pub accounts: Accounts,

    /// The values of all options, for a comparison.
    #[arg(skip)]
    pub values: OptionValues,
}

impl ServeArgs {
    /// The addresses of all listeners that the options name, each with its option.
    pub fn addresses(&self) -> impl Iterator<Item = (&'static str, &ListenAddress)> {
        let others = [("--admin", &self.admin), ("--metrics", &self.metrics)].into_iter();
        let others = others.filter_map(|(option, address)| Some((option, address.as_ref()?.listen()?)));
        self.listen.iter().map(|address| ("--listen", address)).chain(others)
    }
}
