//! The host names that the server answers to.
//!
//! Browsers isolate sites by name: scripts of `evil.example` may read every response from `evil.example`. The owner of
//! that name can make it resolve to this machine while a victim has their page open (DNS rebinding). The page could
//! then read cameras that only the local network can reach. The browser still sends the page's name in `Host`, so the
//! server answers only to names that an attacker cannot own: addresses, names outside the public DNS, names of this
//! machine, and names that the user allowed.

use std::fs;
use std::str::FromStr;

use url::Host;

/// Domains that cannot be registered: `local` (RFC 6762), `home.arpa` (RFC 8375), `localhost` (RFC 6761), `internal`
/// (ICANN board resolution 2024.07.29.06), and `lan`, which is not delegated and which many routers use.
const PRIVATE_DOMAINS: [&str; 5] = [".local", ".lan", ".home.arpa", ".internal", ".localhost"];

/// Contains the machine's host name (proc_sys_kernel(5)).
const HOST_NAME_FILE: &str = "/proc/sys/kernel/hostname";

/// Contains the machine's fully qualified name, if the administrator set one (hosts(5), `hostname --fqdn`).
const HOSTS_FILE: &str = "/etc/hosts";

/// A value of `--allow-host`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AllowedHost {
    /// `*`: any name. Disables the check.
    Any,
    /// This name.
    Name(String),
    /// `*.NAME`: every subdomain of this name, which is stored with a leading dot.
    Subdomains(String),
}

impl FromStr for AllowedHost {
    type Err = &'static str;

    fn from_str(value: &str) -> Result<Self, &'static str> {
        if value == "*" {
            return Ok(Self::Any);
        }
        let allowed = match value.strip_prefix("*.") {
            Some(parent) => normalize(parent).map(|parent| Self::Subdomains(format!(".{parent}"))),
            None => normalize(value).map(Self::Name),
        };
        allowed.ok_or("use a host name without scheme and port, such as cam.example.com or *.example.com")
    }
}

/// The host names that the server answers to. The default allows only names that an attacker cannot own.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts {
    allowed: Vec<AllowedHost>,
}

impl AllowedHosts {
    /// Allows the names of these options and of this machine as well. Reads the names of the machine from its files.
    pub fn new(options: &[AllowedHost]) -> Self {
        let mut allowed = options.to_vec();
        allowed.extend(machine_names().iter().filter_map(|name| normalize(name)).map(AllowedHost::Name));
        Self { allowed }
    }

    /// Whether the server answers to this host, as parsed by `host_of`.
    pub fn allows(&self, host: &Host) -> bool {
        let Host::Domain(name) = host else { return true };
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_private = !name.contains('.')
            || PRIVATE_DOMAINS.iter().any(|domain| name.len() > domain.len() && name.ends_with(domain));
        is_private
            || self.allowed.iter().any(|allowed| match allowed {
                AllowedHost::Any => true,
                AllowedHost::Name(allowed) => allowed == name,
                AllowedHost::Subdomains(parent) => name.len() > parent.len() && name.ends_with(parent.as_str()),
            })
    }
}

/// Converts a name to the form in which it is compared: lower case, ASCII (punycode), without a final dot.
fn normalize(name: &str) -> Option<String> {
    if name.contains([':', '/', '@', '*', '%']) || name.contains(char::is_whitespace) {
        return None;
    }
    let name = Host::parse(name).ok()?.to_string();
    Some(name.strip_suffix('.').map_or_else(|| name.clone(), str::to_owned)).filter(|name| !name.is_empty())
}

/// Returns the machine's host name and its aliases.
fn machine_names() -> Vec<String> {
    let Ok(name) = fs::read_to_string(HOST_NAME_FILE) else { return Vec::new() };
    let mut names = aliases(name.trim(), &fs::read_to_string(HOSTS_FILE).unwrap_or_default());
    names.push(name.trim().to_owned());
    names
}

/// Returns all names on the lines of a hosts file (hosts(5)) that contain this name.
fn aliases(name: &str, hosts_file: &str) -> Vec<String> {
    let lines = hosts_file.lines().map(|line| line.split('#').next().unwrap_or_default());
    let names = lines.map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>());
    let matching = names.filter(|names| names.iter().any(|found| found.eq_ignore_ascii_case(name)));
    matching.flatten().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::host::host_of;
    use super::*;

    fn allows(options: &[&str], host: &str) -> bool {
        let options: Vec<_> = options.iter().map(|option| option.parse().unwrap()).collect();
        let host = host.parse().ok().and_then(|authority| host_of(&authority));
        AllowedHosts { allowed: options }.allows(&host.expect("a host"))
    }

    #[test]
    fn names_that_cannot_be_registered_are_allowed() {
        for host in [
            "localhost",
            "LOCALHOST:5001",
            "cam.localhost",
            "127.0.0.1:5001",
            "127.1",
            "0x7f000001",
            "2130706433:80",
            "192.168.1.7",
            "8.8.8.8",
            "[::1]:5000",
            "[fe80::1%25eth0]:5000",
            "[::ffff:127.0.0.1]",
            "printer",
            "mjpgstreamer1",
            "my_printer:5000",
            "octopi.local",
            "OctoPi.Local.",
            "cam.lan",
            "cam.home.arpa",
            "cam.internal",
            "printer:",
        ] {
            assert!(allows(&[], host), "{host}");
        }
    }

    #[test]
    fn names_that_anybody_can_register_are_refused() {
        for host in [
            "evil.example",
            "evil.example:5000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "octopi.local.evil.example",
            "notlocal.example",
            "evillocal.com",
            "evil.arpa",
            "home.arpa",
            "evil.example.",
            "xn--bcher-kva.example",
        ] {
            assert!(!allows(&[], host), "{host}");
        }
    }

    #[test]
    fn options_allow_a_name_its_subdomains_or_any_name() {
        assert!(allows(&["Cam.Example.com"], "cam.example.COM:5000"));
        assert!(allows(&["cam.example.com."], "cam.example.com"));
        assert!(allows(&["bücher.example"], "xn--bcher-kva.example"));
        assert!(!allows(&["example.com"], "cam.example.com"));
        assert!(allows(&["*.example.com"], "a.cam.example.com"));
        assert!(!allows(&["*.example.com"], "example.com"));
        assert!(!allows(&["*.example.com"], "evilexample.com"));
        assert!(allows(&["*"], "evil.example"));
    }

    #[test]
    fn invalid_options_are_rejected() {
        for invalid in
            ["", "http://cam.example.com", "cam.example.com:5000", "*.", "a.*.com", "a b", "cam.example.com/", "%61"]
        {
            assert!(invalid.parse::<AllowedHost>().is_err(), "{invalid:?}");
        }
    }

    #[test]
    fn the_hosts_file_lists_aliases_of_the_machine() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1\tprinter.example.com printer # mine\n10.0.0.1 other.example.com\n";
        assert_eq!(aliases("Printer", hosts), ["printer.example.com", "printer"]);
        assert!(aliases("other", hosts).is_empty());
    }
}
