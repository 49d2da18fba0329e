//! Options that are valid each by itself, but not together.
//!
//! What this finds depends on the options alone, so the start, a reload and `hotshoe config check` find the same.

use super::camera_spec::CameraSpec;
use super::cameras::{CamerasError, check_cameras};
use super::grant_args::GrantsError;
use super::serve_args::ServeArgs;
use super::side_address::SideAddress;
use crate::http::auth::Role;
use crate::http::listen::{ListenAddress, ListenError};

/// Options contradict each other, or one of them needs another. Displays as one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Contradiction {
    /// There is no file to watch.
    #[error("--watch needs a file to watch; add --guest FILE, --wrap FILE, --camera component:FILE or a filter")]
    NothingToWatch,
    /// No listener uses the certificate.
    #[error("no address uses the TLS certificate; write tls: in front of one, as in --listen tls::5443")]
    UnusedCertificate,
    /// An address cannot be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The admin listener would be open to everyone.
    #[error(
        "an admin listener at {0} needs a token; pass --admin-token-file FILE, or --users FILE with a user of the role admin"
    )]
    TokenRequired(ListenAddress),
    /// The cameras cannot be used together.
    #[error(transparent)]
    Cameras(#[from] CamerasError),
    /// A value for guests is invalid.
    #[error(transparent)]
    Grants(#[from] GrantsError),
}

/// Checks the options for contradictions. Opens no file, device or address.
pub fn check(args: &ServeArgs) -> Result<(), Contradiction> {
    check_watch(args)?;
    check_running(args)
}

/// Like [`check`], for a server that is running. It may do without a file to watch: a later reload may bring one.
pub fn check_running(args: &ServeArgs) -> Result<(), Contradiction> {
    check_certificate(args)?;
    // What a file of users contains is not known yet.
    if args.users.is_none() {
        check_admin_access(args, args.accounts.users.values().any(|user| user.role == Role::Admin))?;
    }
    check_cameras(&args.cameras)?;
    Ok(args.grants.check()?)
}

/// Checks that there is a file to watch.
fn check_watch(args: &ServeArgs) -> Result<(), Contradiction> {
    let has_component = args.cameras.iter().any(CameraSpec::has_component);
    let has_file = args.guest.is_some() || !args.middleware.is_empty() || has_component;
    if args.watch && !has_file { Err(Contradiction::NothingToWatch) } else { Ok(()) }
}

/// Checks that the addresses with TLS have a certificate, and the reverse.
fn check_certificate(args: &ServeArgs) -> Result<(), Contradiction> {
    let mut with_tls = args.addresses().filter(|(_, address)| matches!(address, ListenAddress::Tls(_)));
    match (with_tls.next(), &args.tls_certificate) {
        (Some((option, address)), None) => Err(ListenError::NoCertificate { address: address.clone(), option }.into()),
        (None, Some(_)) => Err(Contradiction::UnusedCertificate),
        (Some(_), Some(_)) | (None, None) => Ok(()),
    }
}

/// Checks that not everyone can use the admin listener. `has_administrator` is whether there is a user with that role.
pub fn check_admin_access(args: &ServeArgs, has_administrator: bool) -> Result<(), Contradiction> {
    match args.admin.as_ref().and_then(SideAddress::listen) {
        Some(address) if args.admin_token_file.is_none() && !has_administrator && !address.is_local() => {
            Err(Contradiction::TokenRequired(address.clone()))
        }
        _ => Ok(()),
    }
}
