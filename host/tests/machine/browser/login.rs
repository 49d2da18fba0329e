//! The page of a server with users.

use hotshoe_conformance::browser::Kind;

use super::helpers::{start, wait_until_live};
use crate::logins::Login;

/// The page's own requests carry on with the login of the page: here from its URL, and otherwise from the dialog.
pub fn logs_in(kind: Kind) {
    let login = Login::start();
    let browser = start(kind);
    browser.open(&login.page_url()).unwrap();
    wait_until_live(&browser, 1);
}
