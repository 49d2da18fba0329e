//! Takes rights from this process that it does not need: to write files, to run programs, and to gain privileges.
//!
//! Landlock (landlock(7)) denies what the rules do not allow, to this process and to all that it starts. It checks when
//! a file is opened, so files that are open already stay usable. Reading is not restricted. A kernel without Landlock,
//! or with an old one, restricts less or nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, AccessFs, BitFlags, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus,
    path_beneath_rules,
};

/// The version of Landlock whose rights are used: the first that also covers `ioctl` on devices (Linux 6.10). Older ones
/// are used as far as they go.
const VERSION: ABI = ABI::V5;

/// Where device nodes are. Cameras are opened for writing, and /dev/null for the standard streams of child processes.
const DEVICES: &str = "/dev";

/// A child process that compiles lowers its own priority for memory here (proc_pid_oom_score_adj(5)).
const PROCESSES: &str = "/proc";

/// The files that are mapped into this process, one a line (proc_pid_maps(5)).
const MAPPED_FILES: &str = "/proc/self/maps";

/// What stays allowed, besides devices.
#[derive(Debug, Default)]
pub struct Allowed {
    /// Files that may be written, and directories in which files may be created, changed and removed. Those that do not
    /// exist are ignored.
    pub writable: Vec<PathBuf>,
    /// Directories in which Unix sockets may be created and removed.
    pub sockets: Vec<PathBuf>,
    /// Files that may be executed: [`own_program`].
    pub program: Vec<PathBuf>,
}

/// What is in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Confinement {
    /// Everything.
    Full,
    /// What this kernel supports, which is less.
    Partial,
    /// This kernel has no Landlock. Only new privileges are denied.
    NoNewPrivileges,
}

/// Takes all other rights from the calling thread, and from all threads and processes that it starts from now on.
/// Cannot be undone.
///
/// # Errors
///
/// Fails if the kernel refuses. The rights are then as before.
pub fn confine(allowed: &Allowed) -> Result<Confinement, RulesetError> {
    let write = AccessFs::from_write(VERSION);
    let device = AccessFs::WriteFile | AccessFs::IoctlDev;
    let socket = AccessFs::MakeSock | AccessFs::RemoveFile;
    let status = Ruleset::default()
        .handle_access(write | AccessFs::Execute)?
        .create()?
        .add_rules(rules(&allowed.writable, write & !(AccessFs::MakeChar | AccessFs::MakeBlock)))?
        .add_rules(rules(&allowed.sockets, socket))?
        .add_rules(rules(&[DEVICES], device))?
        .add_rules(rules(&[PROCESSES], AccessFs::WriteFile.into()))?
        .add_rules(rules(&allowed.program, AccessFs::Execute.into()))?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Confinement::Full,
        RulesetStatus::PartiallyEnforced => Confinement::Partial,
        RulesetStatus::NotEnforced => Confinement::NoNewPrivileges,
    })
}

/// Rules that allow this below these paths.
fn rules<P: AsRef<Path>>(
    paths: &[P],
    access: BitFlags<AccessFs>,
) -> impl Iterator<Item = Result<landlock::PathBeneath<landlock::PathFd>, RulesetError>> {
    path_beneath_rules(paths, access)
}

/// The files that the kernel executes to start this program again, as a child process that compiles or supervises:
/// the program and the dynamic loader. Both are mapped into this process. Takes the longer the more is mapped.
pub fn own_program() -> Vec<PathBuf> {
    let maps = fs::read_to_string(MAPPED_FILES).unwrap_or_default();
    let mapped = maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.contains('x')));
    let files: BTreeSet<_> = mapped.filter_map(|line| line.find('/').and_then(|start| line.get(start..))).collect();
    files.into_iter().map(PathBuf::from).chain([PathBuf::from("/proc/self/exe")]).collect()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::process::Command;
    use std::thread;

    use super::*;

    /// In a thread of its own, which alone loses its rights.
    #[test]
    fn other_files_are_not_written_and_other_programs_are_not_run() {
        let [inside, outside] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (inside, outside) = (inside.path().to_owned(), outside.path().to_owned());
        let confined = thread::spawn(move || {
            let allowed = Allowed { writable: vec![inside.clone()], sockets: Vec::new(), program: own_program() };
            if confine(&allowed).unwrap() == Confinement::NoNewPrivileges {
                return;
            }
            let denied = |result: std::io::Result<()>| result.unwrap_err().kind() == ErrorKind::PermissionDenied;
            assert!(denied(fs::write(outside.join("file"), "")));
            assert!(denied(fs::create_dir(outside.join("folder"))));
            assert!(denied(Command::new("/bin/true").status().map(drop)));
            fs::write(inside.join("file"), "1").unwrap();
            fs::rename(inside.join("file"), inside.join("other")).unwrap();
            fs::remove_file(inside.join("other")).unwrap();
            fs::write("/dev/null", "1").unwrap();
            let this = Command::new("/proc/self/exe").arg("--list").output().unwrap();
            assert!(this.status.success());
        });
        confined.join().unwrap();
        assert!(Command::new("/bin/true").status().unwrap().success(), "in all other threads");
    }

    #[test]
    fn the_program_and_its_loader_are_found() {
        let files = own_program();
        assert!(files.contains(&std::env::current_exe().unwrap()), "{files:?}");
        assert!(files.iter().all(|file| file.exists()), "{files:?}");
    }
}
