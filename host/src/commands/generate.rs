//! `hotshoe generate`: manual pages and shell completions, from the definition of the command line.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::error::CommandError;
use super::output::print;
use crate::config::cli::Cli;

/// Writes the manual page of the program and of each command that is not hidden, such as `hotshoe-guest-new.1`, to a
/// folder. Existing files are overwritten.
pub(super) fn man(folder: &Path) -> Result<(), CommandError> {
    let mut program = Cli::command().disable_help_subcommand(true);
    // Gives the commands the names of their pages.
    program.build();
    write_pages(&program, folder)
}

fn write_pages(command: &clap::Command, folder: &Path) -> Result<(), CommandError> {
    let path = folder.join(Man::new(command.clone()).get_filename());
    page(command).and_then(|page| fs::write(&path, page)).map_err(|source| CommandError::Write { path, source })?;
    command.get_subcommands().filter(|command| !command.is_hide_set()).try_for_each(|it| write_pages(it, folder))
}

/// Renders the page of one command. Its synopsis is that of `--help`: clap_mangen would list every option.
fn page(command: &clap::Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let usage = command.clone().render_usage().to_string();
    let lines = usage.lines().map(|line| roman(line.trim_start_matches("Usage:").trim()));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let mut synopsis = Roff::new();
    synopsis.control("SH", ["SYNOPSIS"]).control("nf", []);
    lines.for_each(|line| {
        synopsis.text([line]);
    });
    synopsis.control("fi", []).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|command| !command.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(notes) = command.get_after_long_help() {
        // As it is: it contains lists and command lines.
        let mut section = Roff::new();
        section.control("SH", ["NOTES"]).control("nf", []);
        section.text([roman(notes.to_string())]).control("fi", []).to_writer(&mut page)?;
    }
    Ok(page)
}

/// Prints the completions for a shell.
pub(super) fn completions(shell: Shell) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hotshoe", &mut script);
    print(&String::from_utf8_lossy(&script))
}
