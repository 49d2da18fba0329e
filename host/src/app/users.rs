//! The users and tokens of `--users`.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tracing::{info, warn};

use super::error::AppError;
use crate::config::serve_args::ServeArgs;
use crate::config::users::read_users;
use crate::http::auth::Authenticator;
use crate::http::proxies::TrustedProxies;

/// The users of a file, and who checks them.
#[derive(Clone)]
pub(super) struct UsersFile {
    path: Option<PathBuf>,
    pub(super) authenticator: Arc<Authenticator>,
}

impl UsersFile {
    /// Reads the file of `--users`. Without it, everyone is admitted. Blocks while it reads.
    pub(super) fn open(args: &ServeArgs) -> Result<Self, AppError> {
        let rules = args.users.as_deref().map(read_users).transpose()?.unwrap_or_default();
        if args.users.is_some() && rules.admit_anyone() {
            return Err(AppError::NoUsers);
        }
        let authenticator = Arc::new(Authenticator::new(rules, TrustedProxies::new(&args.trusted_proxy))?);
        Ok(Self { path: args.users.clone(), authenticator })
    }

    /// Reads the file again. If it cannot be used, the users stay as they are.
    pub(super) async fn reload(&self) {
        let Some(path) = self.path.clone() else { return };
        let read = spawn_blocking(move || read_users(&path)).await;
        match read {
            Ok(Ok(rules)) if !rules.admit_anyone() => {
                self.authenticator.replace(rules);
                info!("loaded the users again");
            }
            Ok(Ok(_)) => warn!("users not replaced: {}", AppError::NoUsers),
            Ok(Err(error)) => warn!("users not replaced: {error}"),
            // The server shuts down.
            Err(_) => {}
        }
    }
}
