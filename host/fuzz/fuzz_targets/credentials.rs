//! Logins and tokens of requests, with any header and any URL.
#![no_main]

// Includes single modules, because the whole host takes minutes to build.
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/http/auth/credentials.rs"]
mod credentials;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/process/private_file.rs"]
mod private_file;
#[path = "../../src/process/regular_file.rs"]
mod regular_file;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/http/auth/token.rs"]
mod token;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/http/auth/token_scope.rs"]
mod token_scope;
// Where `token` expects it.
mod process {
    pub(crate) use crate::private_file;
}

use credentials::{Credentials, take_credentials};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, Uri};
use libfuzzer_sys::fuzz_target;
use token::{Token, TokenKey, TokenRefused, Tokens};

fuzz_target!(|input: (Vec<&[u8]>, &str, &str, Vec<&str>, u64)| {
    let (authorization, url, text, cameras, expires) = input;
    let (Some(key), Some(other)) = (TokenKey::new(&"a".repeat(32)), TokenKey::new(&"b".repeat(32))) else {
        unreachable!("the secrets are long enough");
    };

    // Whatever a request carries, its credentials are gone afterwards, and the rest of its URL remains.
    let mut headers = HeaderMap::new();
    for value in authorization.into_iter().take(4).filter_map(|value| HeaderValue::from_bytes(value).ok()) {
        headers.append(AUTHORIZATION, value);
    }
    if let Ok(mut uri) = url.parse::<Uri>() {
        let path = uri.path().to_owned();
        let taken = take_credentials(&mut headers, &mut uri);
        assert!(headers.is_empty());
        assert_eq!(uri.path(), path);
        assert!(!uri.query().unwrap_or_default().split('&').any(|parameter| parameter.starts_with("token=")));
        if let Ok(Some(Credentials::Basic { name, .. })) = taken {
            assert!(!name.contains(':'));
        }
        // A token opens a path of its camera only.
        let token = Token { id: String::new(), expires: 0, cameras: vec!["front".to_owned()] };
        if token_scope::permits(&token, &Method::GET, &uri) {
            let mut segments = uri.path().split('/').skip(2);
            assert!(segments.next().is_some_and(|name| name.split('.').next() == Some("front")));
            assert_eq!(segments.next(), None);
        }
    }

    // No text is a valid token unless the key has signed it.
    assert_eq!(Tokens::new(key.clone(), []).verify(text, 0), Err(TokenRefused::Invalid));
    if let Ok(token) = Token::new(cameras.into_iter().map(str::to_owned).collect(), expires) {
        let signed = key.sign(&token);
        let verified = Tokens::new(key.clone(), []).verify(&signed, expires.saturating_sub(1));
        if expires > 0 {
            assert_eq!(verified.as_ref(), Ok(&token));
        }
        assert_eq!(Tokens::new(key, []).verify(&signed, expires), Err(TokenRefused::Expired));
        assert_eq!(Tokens::new(other, []).verify(&signed, 0), Err(TokenRefused::Invalid));
    }
});
