//! Lists device nodes, and the programs that have them open.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use std::{fs, io, thread};

use crate::error::DeviceUser;
use crate::v4l2::device::DEV;

/// Lists the nodes `/dev/video*` by number.
pub(super) fn all() -> Vec<PathBuf> {
    let mut nodes: Vec<(u32, PathBuf)> = fs::read_dir(DEV)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("video")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    nodes.sort();
    nodes.into_iter().map(|(_, path)| path).collect()
}

/// Returns the number of a node among the nodes of its device, from sysfs.
pub(super) fn index(path: &Path) -> Option<u32> {
    let node = fs::canonicalize(path).ok()?;
    let index = Path::new("/sys/class/video4linux").join(node.file_name()?).join("index");
    fs::read_to_string(index).ok()?.trim().parse().ok()
}

/// How long the thread of [`start_user_lookup`] may take. Reading the files of all processes takes milliseconds.
const LOOKUP_TIME: Duration = Duration::from_secs(1);

/// A node whose users to list, and where to send them.
type Lookup = (PathBuf, Sender<Vec<DeviceUser>>);

/// The entrance to the thread of [`start_user_lookup`].
static LOOKUPS: OnceLock<Sender<Lookup>> = OnceLock::new();

/// Starts a thread that lists the users of devices from now on. To be called before the process restricts itself with
/// Landlock: a restricted thread cannot see the files of other processes (landlock(7), ptrace(2)).
///
/// # Errors
///
/// If the system refuses a thread. The users of devices are then unknown once the process is restricted.
pub fn start_user_lookup() -> io::Result<()> {
    let (sender, lookups) = channel::<Lookup>();
    thread::Builder::new().name("device-users".to_owned()).spawn(move || {
        for (path, reply) in lookups {
            // Fails if the answer comes too late.
            let _ = reply.send(find_users(&path));
        }
    })?;
    // Fails if there is such a thread already. This one then ends.
    let _ = LOOKUPS.set(sender);
    Ok(())
}

/// Lists the other processes that have the node at `path` open. Only root sees those of other users.
pub(super) fn users(path: &Path) -> Vec<DeviceUser> {
    let Some(lookups) = LOOKUPS.get() else { return find_users(path) };
    let (reply, found) = channel();
    let sent = lookups.send((path.to_owned(), reply)).is_ok();
    if sent { found.recv_timeout(LOOKUP_TIME).unwrap_or_default() } else { Vec::new() }
}

/// Does it in this thread (proc_pid_fd(5)).
fn find_users(path: &Path) -> Vec<DeviceUser> {
    let Ok(device) = fs::canonicalize(path) else { return Vec::new() };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| *pid != std::process::id() && has_open(*pid, &device))
        .map(|pid| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            DeviceUser { pid, name: name.trim_end().to_owned() }
        })
        .collect()
}

fn has_open(pid: u32, device: &Path) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|target| target == device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn programs_with_the_file_open_are_listed() {
        let file = std::env::temp_dir().join(format!("hotshoe-users-{}", std::process::id()));
        fs::write(&file, "").unwrap();
        let mut child = Command::new("sleep")
            .arg("60")
            .stdin(fs::File::open(&file).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        // Between fork and exec, the child has the name of this process.
        let mut found = users(&file);
        while found.iter().all(|user| user.name != "sleep") && std::time::Instant::now() < deadline {
            found = users(&file);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(found, [DeviceUser { pid: child.id(), name: "sleep".into() }]);
    }
}
