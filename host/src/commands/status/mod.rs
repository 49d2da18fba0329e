//! `hotshoe status`: shows what a running server does, read from its admin listener.
//!
//! * `request`: requests the status. `error`: why that fails.
//! * `page`: the status as a page of text.

mod error;
mod page;
mod request;

use tokio::runtime::Builder;

pub use self::error::StatusError;

use super::error::CommandError;
use super::output::print;
use crate::config::cli::StatusArgs;
use crate::status::Status;

/// Prints the status of a server.
pub(super) fn run(args: &StatusArgs) -> Result<(), CommandError> {
    let token = args.token_file.as_deref().map(request::read_token).transpose()?;
    let runtime = Builder::new_current_thread().enable_all().build().map_err(CommandError::System)?;
    let json = runtime.block_on(request::status(&args.admin, token.as_deref()))?;
    if args.json {
        return print(&json);
    }
    let status: Status = serde_json::from_str(&json).map_err(StatusError::Format)?;
    print(&page::render(&status))
}
