//! A program as a camera.

use super::command_line::CommandLine;
use super::error::InputError;
use super::running::RunningProgram;
use super::search::{GENERAL_ADVICE, find_program};
use super::supervision::SupervisorCommand;
use crate::error::SourceError;
use crate::image_input::{InputOptions, InputState};
use crate::source::{Capture, Source};

/// A camera whose images a program writes to its standard output. The program runs while the camera is open.
#[derive(Debug)]
pub struct Program {
    /// The commands to choose from: the first whose program exists.
    commands: Vec<CommandLine>,
    description: String,
    /// What to do if none exists.
    advice: &'static str,
    supervisor: SupervisorCommand,
    state: InputState,
}

impl Program {
    /// Runs `command`. Starts nothing yet.
    pub fn new(command: CommandLine, options: InputOptions, supervisor: SupervisorCommand) -> Self {
        let description = format!("the program {command}");
        Self {
            commands: vec![command],
            description,
            advice: GENERAL_ADVICE,
            supervisor,
            state: InputState::new(options),
        }
    }

    /// Runs the first of `commands` whose program exists. `description` names the camera, and `advice` says what to do
    /// if there is none.
    pub(super) fn preset(
        commands: Vec<CommandLine>,
        description: String,
        advice: &'static str,
        options: InputOptions,
        supervisor: SupervisorCommand,
    ) -> Self {
        Self { commands, description, advice, supervisor, state: InputState::new(options) }
    }
}

impl Source for Program {
    fn description(&self) -> String {
        self.description.clone()
    }

    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        let mut first_error = None;
        for command in &self.commands {
            match find_program(&command.program, self.advice) {
                Ok(path) => return Ok(Box::new(RunningProgram::start(command, &path, &self.supervisor, &self.state)?)),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        // There is at least one command.
        let missing = || InputError::ProgramNotFound { program: self.description.clone(), advice: self.advice };
        Err(first_error.unwrap_or_else(missing).into())
    }
}
