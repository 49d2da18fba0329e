//! HAProxy in front of relays, configured as `docs/scaling.md` says.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use super::{wait_until, workspace};

/// HAProxy with the documented configuration. Killed when dropped.
pub struct Balancer {
    child: Child,
    pub address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Balancer {
    /// Starts `haproxy`, the command that runs the program, at this address, in front of three relays. The caller must
    /// be able to connect to the address.
    pub fn start(mut haproxy: Command, address: SocketAddr, relays: [SocketAddr; 3]) -> Self {
        let text = fs::read_to_string(workspace().join("docs/scaling.md")).unwrap();
        let (_, rest) = text.split_once("```haproxy\n").unwrap();
        let mut configuration = rest.split_once("```").unwrap().0.to_owned();
        let mut replace = |documented: String, used: String| {
            assert!(configuration.contains(&documented), "{documented}: {configuration}");
            configuration = configuration.replace(&documented, &used);
        };
        replace("bind :8080".to_owned(), format!("bind {address}"));
        for (number, relay) in relays.iter().enumerate() {
            replace(format!("10.0.0.1{}:5000", number + 1), relay.to_string());
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, configuration).unwrap();
        haproxy.arg("-db").arg("-f").arg(file);
        // It warns when a relay dies.
        let child = haproxy.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let balancer = Self { child, address, _folder: folder };
        wait_until("the balancer listens", || TcpStream::connect(address).is_ok());
        balancer
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
