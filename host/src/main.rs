//! The `hotshoe` command. See the library for everything else.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use hotshoe::app;
use hotshoe::config::cli::{Cli, Command, CompileArgs, GuestCommand};
use hotshoe::guest::compiler::process;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What is left out unless it is named.
const QUIET: [(&str, LevelFilter); 4] = [
    ("cranelift", LevelFilter::INFO),
    ("notify", LevelFilter::WARN),
    ("regalloc2", LevelFilter::INFO),
    ("wasmtime", LevelFilter::INFO),
];

/// Log to standard error: from `info` up, or what `RUST_LOG` says, such as `debug` or `info,hyper=trace`.
fn start_log() {
    let usual = || Targets::new().with_default(LevelFilter::INFO).with_targets(QUIET);
    let asked = std::env::var("RUST_LOG").ok();
    let (filter, misunderstood) = match asked.as_deref().map(str::parse::<Targets>) {
        // A mere level is not meant for the compiler, which says 20,000 lines about a small guest.
        Some(Ok(filter)) if filter.iter().next().is_none() => (filter.with_targets(QUIET), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (usual(), Some(error)),
        None => (usual(), None),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
    if let Some(error) = misunderstood {
        tracing::warn!("RUST_LOG is not understood, so it is taken as info: {error}");
    }
}

/// The exit code for something that was typed wrong; everything else that fails is 1.
const USAGE_ERROR: u8 = 2;

/// What is wrong, in one line, without the tips and the usage that clap adds below.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.is_empty());
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Be the compiler of a server.
fn compile(args: &CompileArgs) -> ExitCode {
    let CompileArgs { key, length, guest_memory, memory_limit, background } = args;
    process::run(&process::Job {
        key,
        length: *length,
        guest_memory: *guest_memory,
        memory_limit: *memory_limit,
        background: *background,
    })
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) if !asked.use_stderr() => asked.exit(),
        Err(error) => {
            eprintln!("{}; see `hotshoe --help`", first_paragraph(&error));
            return ExitCode::from(USAGE_ERROR);
        }
    };
    // The compiler's standard error is for the server alone.
    if !matches!(cli.command, Some(Command::Compile(_))) {
        start_log();
    }
    let result = match &cli.command {
        Some(Command::Compile(args)) => return compile(args),
        None => app::serve(&cli.serve),
        Some(Command::Cameras) => app::print_cameras(),
        Some(Command::Guest { command }) => match command {
            GuestCommand::Imports { file } => app::print_imports(file.as_deref()),
            GuestCommand::New { dir } => app::new_guest(dir),
            GuestCommand::Save { file } => app::save_guest(file),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
