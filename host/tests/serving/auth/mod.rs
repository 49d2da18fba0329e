//! Users, roles and tokens.

mod accounts;
mod commands;
mod guessing;
mod reload;
mod secrets;

pub(crate) use accounts::{Accounts, REVOKED, basic, login, token, token_until};
