//! Removes secrets from what is logged about requests.

/// Parameters of queries whose values are not logged.
const SECRET_PARAMETERS: [&str; 3] = ["token", "access_token", "password"];

/// What replaces a secret.
const REPLACEMENT: &str = "***";

/// Returns a path with a query, or a whole URL, without the values of secret parameters, and without credentials.
pub(super) fn redact(url: &str) -> String {
    let (address, query) = match url.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (url, None),
    };
    let mut redacted = without_credentials(address);
    if let Some(query) = query {
        let parameters: Vec<_> = query.split('&').map(parameter).collect();
        redacted.push('?');
        redacted += &parameters.join("&");
    }
    redacted
}

fn parameter(parameter: &str) -> String {
    match parameter.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={REPLACEMENT}"),
        _ => parameter.to_owned(),
    }
}

/// Whether the value of a parameter may be secret. That is also assumed of names that are encoded.
fn is_secret(name: &str) -> bool {
    name.contains('%') || SECRET_PARAMETERS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

/// Replaces `USER:PASSWORD` in an address of the form `http://USER:PASSWORD@HOST/PATH`.
fn without_credentials(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((_, host)) => {
            let path = rest.get(authority.len()..).unwrap_or_default();
            format!("{scheme}://{REPLACEMENT}@{host}{path}")
        }
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_parameters_and_credentials_are_replaced() {
        for (url, expected) in [
            ("/video_feed?fps=5&token=abc&x", "/video_feed?fps=5&token=***&x"),
            ("/?Token=a=b&access_token=c", "/?Token=***&access_token=***"),
            ("/?t%6Fken=abc", "/?t%6Fken=***"),
            ("/?token=a?token=b", "/?token=***"),
            ("http://cam.local/p?password=1#x", "http://cam.local/p?password=***"),
            ("http://ann:secret@cam.local/p@q?a=b", "http://***@cam.local/p@q?a=b"),
            ("/token=abc", "/token=abc"),
            ("", ""),
        ] {
            assert_eq!(redact(url), expected);
        }
    }
}
