//! The parsers of `Host`, `Origin`, `Forwarded` and `X-Forwarded-Host`, with any value.
#![no_main]

// Includes single modules, because the whole host takes minutes to build.
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/http/policy/allowed_hosts.rs"]
mod allowed_hosts;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/http/policy/forwarded_host.rs"]
mod forwarded_host;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/http/policy/host.rs"]
mod host;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/origin.rs"]
mod origin;

use allowed_hosts::AllowedHosts;
use forwarded_host::forwarded_hosts;
use host::host_of;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use origin::Origin;

/// Names under these domains cannot be registered. All other names with a dot may belong to an attacker.
const PRIVATE: [&str; 5] = [".local", ".lan", ".home.arpa", ".internal", ".localhost"];

fuzz_target!(|input: (&[u8], &str, Vec<(bool, &[u8])>)| {
    let (authority, origin, forwarded) = input;
    if let Some(host) = Authority::try_from(authority).ok().and_then(|authority| host_of(&authority))
        && AllowedHosts::default().allows(&host)
        && let url::Host::Domain(name) = host
    {
        let name = name.strip_suffix('.').unwrap_or(&name);
        assert!(!name.contains('.') || PRIVATE.iter().any(|domain| name.ends_with(domain)), "{name}");
    }
    let origin = Origin::parse(origin);
    if let Some(origin) = &origin {
        assert_eq!(Origin::parse(&origin.to_string()).as_ref(), Some(origin));
    }
    let mut headers = HeaderMap::new();
    for (is_standard, value) in forwarded.into_iter().take(16) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(if is_standard { "forwarded" } else { "x-forwarded-host" }, value);
        }
    }
    for host in forwarded_hosts(&headers) {
        if let Some(origin) = &origin {
            host.matches(origin);
        }
    }
});
