//! Decides who a request comes from, and whether it is admitted.

use std::sync::Arc;

use http::request::Parts;
use tokio::sync::watch;
use tracing::info;

use super::caller::{Caller, TokenText};
use super::credentials::{Credentials, take_credentials};
use super::denied::Denied;
use super::lease::{Lease, now};
use super::logins::Logins;
use super::role::Role;
use super::rules::Rules;
use super::token_scope;
use crate::http::limits::client_network;
use crate::http::proxies::{TrustedProxies, client_address};
use crate::logging::AUDIT_TARGET;

/// Decides who a request comes from, and whether it is admitted. One for all listeners, so that they count guesses
/// together.
pub struct Authenticator {
    rules: watch::Sender<Arc<Rules>>,
    logins: Arc<Logins>,
    proxies: TrustedProxies,
}

/// The system has no random numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the system has no random numbers")]
pub struct NoRandomNumbers;

impl Authenticator {
    /// Admits requests by these rules. Guesses through `proxies` count for the proxies' clients.
    pub fn new(rules: Rules, proxies: TrustedProxies) -> Result<Self, NoRandomNumbers> {
        let (rules, _) = watch::channel(Arc::new(rules));
        Ok(Self { rules, logins: Arc::new(Logins::new().ok_or(NoRandomNumbers)?), proxies })
    }

    /// Replaces the rules. Streams of viewers whom the new rules do not admit end.
    pub fn replace(&self, rules: Rules) {
        self.rules.send_replace(Arc::new(rules));
        self.logins.forget();
    }

    /// The rules.
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.borrow().clone()
    }

    /// Checks whether a request may do what needs `role`. Takes the credentials out of it, tells the guest who is
    /// asking, and puts the [`Caller`] into its extensions.
    ///
    /// Without users and tokens, admits everyone and leaves the credentials to the guest. Waits while a password is
    /// checked, and must be called inside a Tokio runtime.
    pub async fn authorize(&self, head: &mut Parts, role: Role) -> Result<Caller, Denied> {
        let caller = self.identify(head, role).await?;
        self.audit(&caller, head);
        caller.add_headers(&mut head.headers);
        head.extensions.insert(caller.clone());
        Ok(caller)
    }

    /// How long a stream of this caller may continue. Must be polled inside a Tokio runtime.
    pub fn lease(&self, caller: Caller) -> Lease {
        Lease::new(self.rules.subscribe(), caller)
    }

    /// The client of a request, for the log: an address, that of the proxy's client behind a trusted proxy.
    pub fn client(&self, head: &Parts) -> String {
        let address = client_address(head, &self.proxies);
        address.map_or_else(|| "a local client".to_owned(), |address| address.to_string())
    }

    /// Logs who has been admitted, once in a while for each user or token and address.
    fn audit(&self, caller: &Caller, head: &Parts) {
        if let Some(role) = caller.role() {
            let (who, client) = (caller.to_string(), self.client(head));
            if self.logins.is_to_be_logged(&who, &client) {
                info!(target: AUDIT_TARGET, "login of {who} with the role {role} from {client}");
            }
        }
    }

    async fn identify(&self, head: &mut Parts, required: Role) -> Result<Caller, Denied> {
        Caller::remove_headers(&mut head.headers);
        let rules = self.rules();
        if rules.admit_anyone() {
            return Ok(Caller::Anyone);
        }
        match take_credentials(&mut head.headers, &mut head.uri)?.ok_or(Denied::LoginRequired)? {
            Credentials::Basic { name, password } => {
                let network = client_address(head, &self.proxies).map(client_network);
                self.logins.check(&rules.users, &name, password, network).await?;
                let user = rules.users.get(&name).ok_or(Denied::WrongPassword)?;
                if user.role < required {
                    return Err(Denied::Role(required));
                }
                Ok(Caller::User { name: name.into(), role: user.role, password: user.password.clone() })
            }
            Credentials::Token(text) => {
                let tokens = rules.tokens.as_ref().ok_or(super::token::TokenRefused::Invalid)?;
                let token = tokens.verify(&text, now())?;
                if required > Role::View {
                    return Err(Denied::Role(required));
                }
                if !token_scope::permits(&token, &head.method, &head.uri) {
                    return Err(Denied::OutsideToken);
                }
                let secret = TokenText(text.into());
                Ok(Caller::Token { id: token.id.into(), expires: token.expires, secret })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use http::Request;

    use super::*;
    use crate::http::auth::{PasswordHash, Token, TokenKey, Tokens, User, Users};
    use crate::http::peer::Peer;

    fn key() -> TokenKey {
        TokenKey::new(&"k".repeat(32)).unwrap()
    }

    fn rules(users: &[(&str, &str, Role)], revoked: &[&str]) -> Rules {
        let mut all = Users::default();
        for (name, password, role) in users {
            all.insert(name, User { role: *role, password: PasswordHash::new(password.as_bytes()).unwrap() }).unwrap();
        }
        let revoked = revoked.iter().map(|id| (*id).to_owned());
        Rules { users: all, tokens: Some(Tokens::new(key(), revoked)) }
    }

    fn authenticator(rules: Rules) -> Authenticator {
        Authenticator::new(rules, TrustedProxies::new(&["127.0.0.1".parse().unwrap()])).unwrap()
    }

    fn request(url: &str, headers: &[(&str, &str)]) -> Parts {
        let peer = Peer::Tcp(([127, 0, 0, 1], 1).into());
        let builder = headers.iter().fold(Request::get(url), |builder, (name, value)| builder.header(*name, *value));
        builder.extension(peer).body(()).unwrap().into_parts().0
    }

    fn basic(name: &str, password: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
    }

    #[tokio::test]
    async fn the_guest_learns_who_asks_and_never_sees_credentials() {
        let authenticator = authenticator(rules(&[("ann", "a", Role::Control)], &[]));
        let forged = [("x-hotshoe-user", "root"), ("x-hotshoe-role", "admin")];
        let login = basic("ann", "a");
        let mut head = request("/?a=1&token=x", &[forged[0], forged[1], ("authorization", &login)]);
        assert!(authenticator.authorize(&mut head, Role::View).await.is_ok());
        let header = |head: &Parts, name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header(&head, "x-hotshoe-user").as_deref(), Some("ann"));
        assert_eq!(header(&head, "x-hotshoe-role").as_deref(), Some("control"));
        assert_eq!((header(&head, "authorization"), head.uri.to_string()), (None, "/?a=1".to_owned()));

        let token = Token::new(vec!["front".to_owned()], u64::MAX).unwrap();
        let mut head = request(&format!("/snapshot/front?token={}", key().sign(&token)), &forged);
        assert!(authenticator.authorize(&mut head, Role::View).await.is_ok());
        assert_eq!(header(&head, "x-hotshoe-user"), Some(format!("token:{}", token.id)));
        assert_eq!(header(&head, "x-hotshoe-role").as_deref(), Some("view"));
        assert_eq!(head.uri, "/snapshot/front");

        authenticator.replace(Rules::default());
        let mut head = request("/?token=x", &[forged[0], forged[1], ("authorization", "Custom x")]);
        assert_eq!(authenticator.authorize(&mut head, Role::Control).await, Ok(Caller::Anyone));
        assert_eq!((header(&head, "x-hotshoe-user"), header(&head, "x-hotshoe-role")), (None, None));
        assert_eq!(header(&head, "authorization").as_deref(), Some("Custom x"), "it is the guest's business");
        assert_eq!(head.uri, "/?token=x");
    }

    #[tokio::test]
    async fn guesses_count_for_the_client_of_a_proxy() {
        let authenticator = authenticator(rules(&[("ann", "a", Role::View)], &[]));
        let guess = async |client: &str, password: &str| {
            let login = basic("ann", password);
            let mut head = request("/", &[("x-forwarded-for", client), ("authorization", &login)]);
            authenticator.authorize(&mut head, Role::View).await
        };
        for number in 0..10 {
            assert_eq!(guess("192.0.2.1", &number.to_string()).await, Err(Denied::WrongPassword));
        }
        assert!(matches!(guess("192.0.2.1", "a").await, Err(Denied::Throttled(_))));
        assert!(guess("192.0.2.2", "a").await.is_ok());
    }

    #[tokio::test]
    async fn a_lease_ends_when_the_rules_no_longer_admit_the_caller() {
        let ann = ("ann", "a", Role::Control);
        let authenticator = authenticator(rules(&[ann], &[]));
        let login = basic("ann", "a");
        let ann_caller =
            authenticator.authorize(&mut request("/", &[("authorization", &login)]), Role::View).await.unwrap();
        let token = Token::new(vec![], u64::MAX).unwrap();
        let url = format!("/snapshot?token={}", key().sign(&token));
        let token_caller = authenticator.authorize(&mut request(&url, &[]), Role::View).await.unwrap();
        let ended = async |lease: &mut Lease| {
            let ended = std::future::poll_fn(|context| lease.poll_ended(context));
            tokio::time::timeout(Duration::from_millis(20), ended).await.is_ok()
        };
        let (mut ann_lease, mut token_lease) =
            (authenticator.lease(ann_caller.clone()), authenticator.lease(token_caller.clone()));
        let mut same = Rules { tokens: Some(Tokens::new(key(), [])), ..Rules::default() };
        same.users.clone_from(&authenticator.rules().users);
        authenticator.replace(same);
        assert!(!ended(&mut ann_lease).await && !ended(&mut token_lease).await);
        // The same password with another salt is another password.
        authenticator.replace(rules(&[ann], &[]));
        assert!(ended(&mut ann_lease).await && !ended(&mut token_lease).await);
        authenticator.replace(rules(&[ann], &[&token.id]));
        assert!(ended(&mut token_lease).await);
        authenticator.replace(Rules::default());
        assert!(ended(&mut authenticator.lease(ann_caller)).await);
        assert!(!ended(&mut authenticator.lease(Caller::Anyone)).await);
    }

    #[tokio::test]
    async fn a_lease_ends_when_the_token_expires() {
        let authenticator = authenticator(rules(&[], &[]));
        let token = Token::new(vec![], now() + 2).unwrap();
        let url = format!("/snapshot?token={}", key().sign(&token));
        let caller = authenticator.authorize(&mut request(&url, &[]), Role::View).await.unwrap();
        let mut lease = authenticator.lease(caller);
        std::future::poll_fn(|context| lease.poll_ended(context)).await;
        assert!(now() >= token.expires);
    }
}
