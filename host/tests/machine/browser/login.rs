//! The page of a server with users.

use hotshoe_conformance::browser::Kind;

use super::helpers::{start, wait_until_live};
use crate::logins::Login;

/// The page's own requests carry on with the login of the page, whether its URL contains the login, or the browser
/// remembers it. WebDriver cannot fill in the browser's dialog.
pub fn logs_in(kind: Kind) {
    let login = Login::start();
    let browser = start(kind);
    let [with_login, without] = login.page_urls();
    browser.open(&with_login).unwrap();
    wait_until_live(&browser, 1);
    browser.open(&without).unwrap();
    wait_until_live(&browser, 1);
}
