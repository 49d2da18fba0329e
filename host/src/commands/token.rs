//! `hotshoe token`: makes a token for URLs.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use httpdate::fmt_http_date;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::error::CommandError;
use super::output::print;
use crate::config::cli::TokenArgs;
use crate::http::auth::{Token, TokenKey, TokenKeyError};

/// The length of a new secret before it is written in hexadecimal digits, in bytes.
const SECRET_LENGTH: usize = 32;

/// Prints a token, and on standard error what it is for. Creates the secret if its file does not exist.
pub(super) fn run(args: &TokenArgs) -> Result<(), CommandError> {
    create_secret(&args.secret_file)?;
    let key = TokenKey::read(&args.secret_file)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let token = Token::new(args.camera.clone(), now.saturating_add(args.lifetime.as_secs()))?;
    let text = key.sign(&token);
    let example = token.cameras.first().map_or_else(|| "/snapshot".to_owned(), |name| format!("/snapshot/{name}"));
    // The reader of standard error need not exist.
    let _ = writeln!(
        io::stderr(),
        "The token {} opens {} and expires on {}. Append ?token=TOKEN to a URL, such as {example}.",
        token.id,
        if token.cameras.is_empty() { "all cameras".to_owned() } else { token.cameras.join(", ") },
        fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(token.expires))
    );
    print(&format!("{text}\n"))
}

/// Creates a file with a random secret that no other user may access, unless it exists.
fn create_secret(path: &Path) -> Result<(), CommandError> {
    let failed = |source| CommandError::Write { path: path.to_owned(), source };
    let mut secret = [0; SECRET_LENGTH];
    SystemRandom::new().fill(&mut secret).map_err(|_| TokenKeyError::Random)?;
    let text = secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    file.write_all(text.as_bytes()).map_err(|error| {
        // The next run would take what is there for the secret.
        let _ = fs::remove_file(path);
        failed(error)
    })
}
