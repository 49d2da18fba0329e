//! Who may do what: users and tokens.

use super::caller::Caller;
use super::token::Tokens;
use super::users::Users;

/// Who may do what. The default has neither users nor tokens: everyone may do everything that options permit.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The users.
    pub users: Users,
    /// Which tokens are valid. `None` if tokens are not used.
    pub tokens: Option<Tokens>,
}

impl Rules {
    /// Whether everyone is admitted without credentials.
    pub fn admit_anyone(&self) -> bool {
        self.users.is_empty() && self.tokens.is_none()
    }

    /// Whether a caller who was admitted earlier would still be at this time, in seconds since 1970.
    pub(super) fn still_admit(&self, caller: &Caller, now: u64) -> bool {
        match caller {
            Caller::Anyone => self.admit_anyone(),
            Caller::User { name, role, password } => {
                self.users.get(name).is_some_and(|user| user.role >= *role && user.password == *password)
            }
            Caller::Token { secret, .. } => {
                self.tokens.as_ref().is_some_and(|tokens| tokens.verify(&secret.0, now).is_ok())
            }
        }
    }
}
