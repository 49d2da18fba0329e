//! Several machines on this one: network namespaces with a switch between them. Only root can create them.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use rustix::thread::LinkNameSpaceType;

use super::server::{program, set_environment};

/// The network of all machines. Each [`Network`] is separate, so all can use the same addresses.
const PREFIX: [u8; 3] = [10, 77, 0];

/// A switch. Its machines are connected to each other, and to nothing else.
pub struct Network {
    switch: Namespace,
    machines: AtomicU8,
}

/// A machine with one network interface.
pub struct Machine {
    namespace: Namespace,
    pub address: Ipv4Addr,
}

/// A network namespace. Removed when dropped, with the interfaces in it.
struct Namespace(String);

impl Network {
    #[allow(clippy::new_without_default, reason = "it changes the system")]
    pub fn new() -> Self {
        let switch = Namespace::new("switch");
        ip(&["-n", &switch.0, "link", "add", "bridge", "type", "bridge"]);
        ip(&["-n", &switch.0, "link", "set", "bridge", "up"]);
        Self { switch, machines: AtomicU8::new(0) }
    }

    /// Adds a machine with the next address. The name appears in that of its namespace.
    pub fn machine(&self, name: &str) -> Machine {
        let number = self.machines.fetch_add(1, Ordering::Relaxed) + 1;
        let address = Ipv4Addr::new(PREFIX[0], PREFIX[1], PREFIX[2], number);
        let namespace = Namespace::new(name);
        let (inside, switch) = (&namespace.0, &self.switch.0);
        let port = format!("port{number}");
        ip(&["-n", switch, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", inside]);
        ip(&["-n", switch, "link", "set", &port, "master", "bridge", "up"]);
        ip(&["-n", inside, "addr", "add", &format!("{address}/24"), "dev", "eth0"]);
        ip(&["-n", inside, "link", "set", "eth0", "up"]);
        Machine { namespace, address }
    }
}

impl Machine {
    /// Returns a command that runs a program on this machine. The process is that of the program.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace.0]).arg(program.as_ref());
        command
    }

    /// Returns a command that runs a server on this machine, listening at this port of its address.
    pub fn server(&self, port: u16, args: &[&str]) -> Command {
        let mut command = self.command(program());
        set_environment(&mut command);
        command.args(["--admin", "off", "--listen", &self.at(port).to_string()]).args(args);
        command
    }

    /// Returns a port of this machine's address.
    pub fn at(&self, port: u16) -> SocketAddr {
        (self.address, port).into()
    }

    /// Moves the calling thread to this machine: its sockets, and the processes that it starts.
    pub fn enter(&self) {
        let namespace = File::open(Path::new("/run/netns").join(&self.namespace.0)).unwrap();
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    }

    /// Disconnects the machine from the switch, as if its cable were pulled.
    pub fn disconnect(&self) {
        ip(&["-n", &self.namespace.0, "link", "set", "eth0", "down"]);
    }

    /// Moves an interface from the caller's machine to this one, and gives it an address with a prefix length.
    pub(super) fn add_interface(&self, interface: &str, address: &str) {
        ip(&["link", "set", interface, "netns", &self.namespace.0]);
        ip(&["-n", &self.namespace.0, "addr", "add", address, "dev", interface]);
        ip(&["-n", &self.namespace.0, "link", "set", interface, "up"]);
    }
}

impl Namespace {
    fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let namespace = Self(format!("hotshoe-{}-{number}-{name}", std::process::id()));
        ip(&["netns", "add", &namespace.0]);
        ip(&["-n", &namespace.0, "link", "set", "lo", "up"]);
        namespace
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

#[track_caller]
fn ip(args: &[&str]) {
    assert!(Command::new("ip").args(args).status().unwrap().success(), "ip {args:?}");
}
