//! `hotshoe status`: shows what a running server does, read from its admin listener.
//!
//! * `request`: requests the status. `error`: why that fails.
//! * `page`: the status as a page of text.

mod error;
mod page;
mod request;

use tokio::runtime::Builder;

pub use self::error::StatusError;

use self::request::{Login, read_token, status};
use super::error::CommandError;
use super::output::print;
use super::password_input::read_password;
use crate::config::cli::StatusArgs;
use crate::status::Status;

/// Prints the status of a server.
pub(super) fn run(args: &StatusArgs) -> Result<(), CommandError> {
    let login = match (&args.token_file, &args.user) {
        (Some(file), _) => Login::Token(read_token(file)?),
        (None, Some(name)) => Login::User { name: name.clone(), password: read_password()? },
        (None, None) => Login::None,
    };
    let runtime = Builder::new_current_thread().enable_all().build().map_err(CommandError::System)?;
    let json = runtime.block_on(status(&args.admin, args.tls_name.as_deref(), &login))?;
    if args.json {
        return print(&json);
    }
    let status: Status = serde_json::from_str(&json).map_err(StatusError::Format)?;
    print(&page::render(&status))
}
