//! Running the program under test.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::DEADLINE;
use super::client::{Reply, get, send};

/// Returns the program that was built with this test. The test's executable is in a subfolder next to it.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("hotshoe");
    assert!(program.is_file(), "{} is missing: run the tests with `cargo test`", program.display());
    program
}

/// Returns a command that runs the program in the environment for tests.
pub fn command() -> Command {
    let mut command = Command::new(program());
    set_environment(&mut command);
    command
}

/// Returns a command like [`command`] that runs the program with a limit of the shell's `ulimit`, such as `-n 64`.
pub fn command_with_limit(limit: &str) -> Command {
    let mut command = Command::new("sh");
    set_environment(&mut command);
    command.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]).arg(program());
    command
}

/// Sets the environment for tests: compiled guests are cached next to the program, for later tests.
pub fn set_environment(command: &mut Command) {
    let cache = program().parent().unwrap().join("test-cache");
    command.env_remove("RUST_LOG").env_remove("CACHE_DIRECTORY").env("XDG_CACHE_HOME", cache);
}

/// Runs the program with these arguments until it exits.
#[track_caller]
pub fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(args: I) -> Output {
    let mut command = command();
    command.args(args);
    end(command)
}

/// Runs a server with these arguments, which must fail, and returns its output. Like [`Server::start`], it listens at
/// free ports unless the arguments say otherwise, so that nothing but the arguments can make it fail.
#[track_caller]
pub fn start_failing<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(args: I) -> Output {
    let mut command = command();
    command.args(args);
    use_free_ports(&mut command);
    let output = end(command);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Adds `--listen` and `--admin` with free ports of 127.0.0.1 where they are missing.
fn use_free_ports(command: &mut Command) {
    for option in ["--listen", "--admin"] {
        if !command.get_args().any(|arg| arg == option) {
            command.args([option, "127.0.0.1:0"]);
        }
    }
}

/// Runs a command until it exits. Panics if it does not exit in time.
#[track_caller]
pub fn end(mut command: Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    end_with_sockets(command)
}

/// Like [`end`], for a command whose standard input and output are sockets that it passes on.
pub fn end_with_sockets(mut command: Command) -> Output {
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let waiting = thread::spawn(move || child.wait_with_output().unwrap());
    let deadline = Instant::now() + DEADLINE;
    while !waiting.is_finished() {
        if Instant::now() > deadline {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            let output = waiting.join().unwrap();
            panic!("{command:?} does not exit:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        thread::sleep(Duration::from_millis(5));
    }
    waiting.join().unwrap()
}

/// Returns the processor time of all threads of a process (`/proc/pid/task/tid/schedstat`, in nanoseconds). Does not
/// count the thread of the emulated V4L2 camera: the kernel and the hardware do the work of a real one.
pub fn processor_time(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let times = tasks.filter_map(|task| {
        let folder = task.ok()?.path();
        if fs::read_to_string(folder.join("comm")).ok()?.starts_with("fakecam") {
            return None;
        }
        let text = fs::read_to_string(folder.join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    log: Arc<Log>,
    pub address: SocketAddr,
    /// The address of the admin listener. `None` with `--admin off`.
    pub admin: Option<SocketAddr>,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    new_line: Condvar,
}

impl Server {
    /// Starts a server with these arguments and waits until it listens.
    pub fn start<S: AsRef<OsStr>>(args: &[S]) -> Self {
        let mut command = command();
        command.args(args);
        Self::start_command(command)
    }

    /// Starts a server in this working directory.
    pub fn start_in<S: AsRef<OsStr>>(folder: &Path, args: &[S]) -> Self {
        let mut command = command();
        command.args(args).current_dir(folder);
        Self::start_command(command)
    }

    /// Starts a server with this command, at free ports where it names none.
    pub fn start_command(command: Command) -> Self {
        Self::start_with(command, Stdio::null(), DEADLINE)
    }

    /// Like [`Self::start_command`], but waits this long until the server listens.
    pub fn start_command_within(command: Command, time: Duration) -> Self {
        Self::start_with(command, Stdio::null(), time)
    }

    /// Like [`Self::start_command`], with this standard input.
    pub fn start_with_stdin(command: Command, stdin: Stdio) -> Self {
        Self::start_with(command, stdin, DEADLINE)
    }

    fn start_with(mut command: Command, stdin: Stdio, time: Duration) -> Self {
        use_free_ports(&mut command);
        command.stdin(stdin).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Log::default());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let writer = log.clone();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                writer.lines.lock().unwrap().push(line);
                writer.new_line.notify_all();
            }
        });
        let mut server = Self { child, log, address: ([127, 0, 0, 1], 0).into(), admin: None };
        let line = server.wait_for_log_within("open http", time);
        let address = line.split_once("://").unwrap().1.split('/').next().unwrap();
        server.address = address.parse().unwrap();
        let log = server.log();
        let admin = log.lines().find_map(|line| {
            let url = line.split_once("admin at http")?.1;
            Some(url.split_once("://")?.1.split_once("/guest")?.0)
        });
        server.admin = admin.map(|admin| admin.parse().unwrap());
        server
    }

    /// Waits for a line of the log that contains this text, and returns it.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) -> String {
        self.wait_for_logs(text, 1)
    }

    /// Waits until this many lines of the log contain this text, and returns the last of them.
    #[track_caller]
    pub fn wait_for_logs(&self, text: &str, count: usize) -> String {
        self.wait_for_logs_within(text, count, DEADLINE)
    }

    /// Like [`Self::wait_for_log`], but waits this long.
    #[track_caller]
    pub fn wait_for_log_within(&self, text: &str, time: Duration) -> String {
        self.wait_for_logs_within(text, 1, time)
    }

    #[track_caller]
    fn wait_for_logs_within(&self, text: &str, count: usize, time: Duration) -> String {
        let deadline = Instant::now() + time;
        let mut lines = self.log.lines.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().filter(|line| line.contains(text)).nth(count - 1) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(lines);
                panic!("the log does not contain {text:?} {count} times:\n{}", self.log());
            }
            lines = self.log.new_line.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Returns the log so far.
    pub fn log(&self) -> String {
        self.log.lines.lock().unwrap().join("\n")
    }

    /// Returns the warnings so far, but for the one that all servers of root give.
    pub fn warnings(&self) -> Vec<String> {
        let log = self.log();
        let warnings = log.lines().filter(|line| line.contains(" WARN ") && !line.contains("WARN running as root"));
        warnings.map(str::to_owned).collect()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the ids and names of the server's threads.
    pub fn threads(&self) -> Vec<(u32, String)> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        tasks
            .filter_map(|task| {
                let task = task.ok()?;
                let name = fs::read_to_string(task.path().join("comm")).ok()?;
                Some((task.file_name().to_str()?.parse().ok()?, name.trim_end().to_owned()))
            })
            .collect()
    }

    /// Returns the number of capture threads.
    pub fn capture_threads(&self) -> usize {
        self.capture_thread_ids().len()
    }

    /// Returns the ids of the capture threads. A thread that was restarted has a new id.
    pub fn capture_thread_ids(&self) -> Vec<u32> {
        let threads = self.threads().into_iter();
        threads.filter(|(_, name)| name.starts_with("capture-")).map(|(id, _)| id).collect()
    }

    /// Requests the generations from the admin listener.
    #[track_caller]
    pub fn generations(&self) -> Value {
        let reply = get(self.admin.unwrap(), "/guest");
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// Returns the number of the current generation.
    #[track_caller]
    pub fn generation(&self) -> u64 {
        self.generations()["current"]["generation"].as_u64().unwrap()
    }

    /// Replaces the guest by this component, through the admin listener.
    #[track_caller]
    pub fn put_guest(&self, component: &[u8]) -> Reply {
        send(self.admin.unwrap(), "PUT", "/guest", &[], component)
    }

    /// Returns the number of open file descriptors.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// Returns the resident memory, in KiB.
    pub fn memory_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// Returns the peak of the resident memory so far, in KiB.
    pub fn peak_memory_kib(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Returns a number from /proc/PID/status (proc_pid_status(5)).
    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Sends the server a signal.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until the server exits.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not exit:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("log of the server:\n{}", self.log());
        }
    }
}
