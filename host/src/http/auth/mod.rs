//! Who is asking, and what they may do: users with passwords and roles, and tokens for URLs.
//!
//! * [`Authenticator`] decides about requests, by [`Rules`] that can be replaced. It runs before any guest.
//! * `credentials` takes the credentials out of a request; [`Caller`] is who it comes from, and what the guest learns
//!   about that; [`Denied`] is why it is not admitted.
//! * [`Users`] have a [`Role`] and a [`PasswordHash`]. `logins` checks passwords: `recent` remembers which were right,
//!   and [`Throttle`] slows down guessing; `make_room` bounds both.
//! * [`Token`]s open pictures of cameras, which `token_scope` decides about.
//! * [`Lease`] ends streams of viewers who may no longer watch.

mod authenticator;
mod caller;
mod credentials;
mod denied;
mod leaky_bucket;
mod lease;
mod logins;
mod make_room;
mod password;
mod recent;
mod role;
mod rules;
mod throttle;
mod token;
mod token_scope;
mod users;

pub use self::authenticator::{Authenticator, NoRandomNumbers};
pub use self::caller::{Caller, TokenText};
pub use self::credentials::{Credentials, CredentialsError, bearer_token, take_credentials};
pub use self::denied::Denied;
pub use self::leaky_bucket::{LeakyBucket, Rate};
pub use self::lease::Lease;
pub use self::password::{HashingError, MAX_PASSWORD_LENGTH, PasswordHash, PasswordHashError};
pub use self::role::{ParseRoleError, Role};
pub use self::rules::Rules;
pub use self::throttle::Throttle;
pub use self::token::{Token, TokenKey, TokenKeyError, TokenRefused, Tokens};
pub use self::users::{User, UserError, Users, check_name};
