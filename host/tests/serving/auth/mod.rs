//! Users, roles and tokens.

mod accounts;
mod commands;
mod guessing;
mod reload;
mod secrets;

pub(crate) use accounts::{Accounts, REVOKED, basic, login, password, token, token_until, write_private};
