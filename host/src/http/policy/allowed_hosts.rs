//! Names that this server answers to.
//!
//! A browser protects a server's answers from the scripts of other sites by name: scripts of `evil.example` may read what
//! `evil.example` answers. Whoever owns that name can make it resolve to this machine while their page is open (DNS
//! rebinding), and the page then reads cameras that only this network can reach. The browser still sends the page's name
//! as `Host`. So a request is answered only if its `Host` is a name that a stranger cannot own: an address, a name that
//! is not registered in the public DNS, a name of this machine, or a name that the user allowed.

use std::fs;
use std::str::FromStr;

use url::Host;

/// Domains that nobody can register: RFC 6762 (`local`), RFC 8375 (`home.arpa`), RFC 6761 (`localhost`), the ICANN
/// board's resolution 2024.07.29.06 (`internal`), and `lan`, which is not delegated and which routers give out.
const PRIVATE_DOMAINS: [&str; 5] = [".local", ".lan", ".home.arpa", ".internal", ".localhost"];

/// The machine's host name (proc_sys_kernel(5)).
const HOST_NAME_FILE: &str = "/proc/sys/kernel/hostname";

/// Where an administrator gives this machine its full name (hosts(5), `hostname --fqdn`).
const HOSTS_FILE: &str = "/etc/hosts";

/// The value of one `--allow-host` option.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AllowedHost {
    /// `*`: every name, which turns the check off.
    Any,
    /// This name.
    Name(String),
    /// `*.NAME`: all names below this one, which is kept with its leading dot.
    Subdomains(String),
}

impl FromStr for AllowedHost {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        if value == "*" {
            return Ok(Self::Any);
        }
        let allowed = match value.strip_prefix("*.") {
            Some(parent) => normalize(parent).map(|parent| Self::Subdomains(format!(".{parent}"))),
            None => normalize(value).map(Self::Name),
        };
        allowed.ok_or_else(|| {
            format!("`{value}` is not a host name; give one without scheme and port, such as cam.example.com or *.example.com")
        })
    }
}

/// The names that this server answers to.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts {
    allowed: Vec<AllowedHost>,
}

impl AllowedHosts {
    /// Allow the names of these options and the names of this machine, besides those that no stranger can own.
    pub fn new(options: &[AllowedHost]) -> Self {
        let mut allowed = options.to_vec();
        allowed.extend(own_names().iter().filter_map(|name| normalize(name)).map(AllowedHost::Name));
        Self { allowed }
    }

    /// Whether the server answers to this host, which comes from [`host_of`](super::host::host_of).
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

/// A typed name as [`AllowedHosts::allows`] compares it: in lower case, in ASCII, and without a final dot.
fn normalize(name: &str) -> Option<String> {
    if name.contains([':', '/', '@', '*', '%']) || name.contains(char::is_whitespace) {
        return None;
    }
    let name = Host::parse(name).ok()?.to_string();
    Some(name.strip_suffix('.').map_or_else(|| name.clone(), str::to_owned)).filter(|name| !name.is_empty())
}

/// The machine's host name and the other names that its administrator gave it.
fn own_names() -> Vec<String> {
    let Ok(name) = fs::read_to_string(HOST_NAME_FILE) else { return Vec::new() };
    let mut names = names_beside(name.trim(), &fs::read_to_string(HOSTS_FILE).unwrap_or_default());
    names.push(name.trim().to_owned());
    names
}

/// The names on those lines of a hosts file (hosts(5)) that have this name.
fn names_beside(name: &str, hosts: &str) -> Vec<String> {
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let names = lines.map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>());
    let of_this_machine = names.filter(|names| names.iter().any(|found| found.eq_ignore_ascii_case(name)));
    of_this_machine.flatten().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::policy::host::host_of;

    fn allows(options: &[&str], host: &str) -> bool {
        let options: Vec<_> = options.iter().map(|option| option.parse().unwrap()).collect();
        let host = host.parse().ok().and_then(|authority| host_of(&authority));
        AllowedHosts { allowed: options }.allows(&host.expect("a host"))
    }

    #[test]
    fn names_that_nobody_can_register_are_allowed() {
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
    fn names_that_anybody_can_register_are_not() {
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
    fn options_allow_a_name_a_domain_or_everything() {
        assert!(allows(&["Cam.Example.com"], "cam.example.COM:5000"));
        assert!(allows(&["cam.example.com."], "cam.example.com"));
        assert!(allows(&["bücher.example"], "xn--bcher-kva.example"));
        assert!(!allows(&["example.com"], "cam.example.com"));
        assert!(allows(&["*.example.com"], "a.cam.example.com"));
        assert!(!allows(&["*.example.com"], "example.com"));
        assert!(!allows(&["*.example.com"], "evilexample.com"));
        assert!(allows(&["*"], "evil.example"));
        for wrong in
            ["", "http://cam.example.com", "cam.example.com:5000", "*.", "a.*.com", "a b", "cam.example.com/", "%61"]
        {
            assert!(wrong.parse::<AllowedHost>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_hosts_file_gives_a_machine_its_full_name() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1\tprinter.example.com printer # mine\n10.0.0.1 other.example.com\n";
        assert_eq!(names_beside("Printer", hosts), ["printer.example.com", "printer"]);
        assert!(names_beside("other", hosts).is_empty());
    }
}
