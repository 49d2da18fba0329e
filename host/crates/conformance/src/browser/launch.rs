//! Starts the browsers, each with a fresh profile.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use serde_json::json;

use super::command::COMMAND_TIMEOUT;
use super::marionette::Marionette;
use super::options::{Kind, Options, firefox_program};
use super::session::Session;
use super::webdriver::WebDriver;
use crate::program::kill_group;

/// How often to start chromedriver. It takes a free port of 127.0.0.1 and exits if the same port of ::1 is in use, which
/// happens while other tests hold ports of ::1.
const CHROMEDRIVER_ATTEMPTS: u32 = 5;

/// Running programs. Killed when dropped, the last one first.
#[derive(Debug, Default)]
pub(super) struct Programs(Vec<Child>);

impl Programs {
    /// Starts a program as the leader of a process group, so that its descendants can be killed with it.
    fn start(&mut self, command: &mut Command) -> Result<&mut Child, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        self.0.push(command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?);
        self.0.last_mut().ok_or_else(|| format!("{name} is not running"))
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        self.0.iter_mut().rev().for_each(kill_group);
    }
}

/// Starts a browser and a session with it. Blocks until the session is ready.
pub(super) fn launch(options: &Options, profile: &Path) -> Result<(Programs, Session), String> {
    let mut programs = Programs::default();
    let session = match options.kind {
        Kind::Chromium => chromium(&mut programs, options, profile)?,
        Kind::Firefox => firefox(&mut programs, options, profile)?,
        Kind::WebKit => webkit(&mut programs, options, profile)?,
    };
    Ok((programs, session))
}

fn chromium(programs: &mut Programs, options: &Options, profile: &Path) -> Result<Session, String> {
    let port = start_chromedriver(programs)?;
    let mut arguments: Vec<String> = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    .map(String::from)
    .into();
    arguments.push(format!("--window-size={},{}", options.size.0, options.size.1));
    arguments.push(format!("--user-data-dir={}", profile.display()));
    arguments.extend(options.arguments.iter().cloned());
    let capabilities = json!({ "acceptInsecureCerts": true, "goog:chromeOptions": { "args": arguments } });
    Ok(Session::WebDriver(WebDriver::start(format!("127.0.0.1:{port}"), &capabilities)?))
}

/// Starts chromedriver, and returns its port.
fn start_chromedriver(programs: &mut Programs) -> Result<String, String> {
    let mut attempts = CHROMEDRIVER_ATTEMPTS;
    loop {
        let driver = programs.start(Command::new("chromedriver").arg("--port=0"))?;
        let port = wait_for_line(driver, |line| {
            let (_, port) = line.split_once("successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        attempts -= 1;
        match port {
            Err(error) if error.contains("port not available") && attempts > 0 => {}
            port => return port.map_err(|error| format!("chromedriver: {error}")),
        }
    }
}

/// Uses Firefox's own protocol, so that geckodriver is not needed.
fn firefox(programs: &mut Programs, options: &Options, profile: &Path) -> Result<Session, String> {
    // Port 0 selects a free port, which Firefox writes into its profile.
    let preferences =
        "user_pref(\"marionette.port\", 0);\nuser_pref(\"datareporting.policy.dataSubmissionEnabled\", false);\n";
    fs::write(profile.join("user.js"), preferences)
        .map_err(|error| format!("cannot write the browser's profile: {error}"))?;
    let (width, height) = options.size;
    let mut command = Command::new(firefox_program());
    command.args(["--marionette", "--headless", "--no-remote", "--profile"]).arg(profile);
    command.args([format!("--width={width}"), format!("--height={height}")]).args(&options.arguments);
    let browser = programs.start(&mut command)?;
    // A full pipe would block the browser.
    drop(browser.stdout.take());
    let port = wait_for(|| fs::read_to_string(profile.join("MarionetteActivePort")).ok())
        .ok_or("Firefox does not report its port")?;
    let address = format!("127.0.0.1:{}", port.trim());
    wait_for(|| std::net::TcpStream::connect(&address).ok()).ok_or("Firefox does not listen on its port")?;
    Ok(Session::Marionette(Marionette::start(&address, &json!({ "acceptInsecureCerts": true }))?))
}

/// Runs the browser on a virtual display, because it has no headless mode.
fn webkit(programs: &mut Programs, options: &Options, profile: &Path) -> Result<Session, String> {
    let (width, height) = (options.size.0.max(1300), options.size.1.max(1000));
    let mut display = Command::new("Xvfb");
    display.args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0"]).arg(format!("{width}x{height}x24"));
    let display = programs.start(&mut display)?;
    let number =
        wait_for_line(display, |line| Some(line.trim().to_owned())).map_err(|error| format!("Xvfb: {error}"))?;
    // The driver does not accept port 0.
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).map_err(|error| error.to_string())?;
    let mut driver = Command::new("WebKitWebDriver");
    driver.arg(format!("--port={}", port.port())).env("DISPLAY", format!(":{number}"));
    // Without a graphics card, a screen reader, or the user's settings.
    driver.env("WEBKIT_DISABLE_COMPOSITING_MODE", "1").env("NO_AT_BRIDGE", "1").env("HOME", profile);
    for folder in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        driver.env(folder, profile);
    }
    let driver = programs.start(&mut driver)?;
    drop(driver.stdout.take());
    wait_for(|| std::net::TcpStream::connect(port).ok()).ok_or("WebKitWebDriver does not listen on its port")?;
    let capabilities = match mini_browser() {
        Some(browser) => json!({
            "acceptInsecureCerts": true,
            "webkitgtk:browserOptions": { "binary": browser, "args": ["--automation"] },
        }),
        None => json!({ "acceptInsecureCerts": true }),
    };
    Ok(Session::WebDriver(WebDriver::start(port.to_string(), &capabilities)?))
}

/// Finds WebKitGTK's browser in the library folders of Debian, Fedora and Arch, where the driver may not look.
fn mini_browser() -> Option<PathBuf> {
    let folders = ["/usr/lib", "/usr/lib64", "/usr/libexec"].into_iter().map(PathBuf::from);
    let subfolders = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let all: Vec<_> = folders.flat_map(|folder| subfolders(folder).collect::<Vec<_>>()).collect();
    let deeper = all.iter().filter(|folder| folder.to_string_lossy().ends_with("linux-gnu")).cloned();
    let deeper: Vec<_> = deeper.flat_map(subfolders).collect();
    let is_webkit =
        |folder: &PathBuf| folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("webkit"));
    all.into_iter().chain(deeper).filter(is_webkit).map(|folder| folder.join("MiniBrowser")).find(|path| path.is_file())
}

/// Reads a program's output until `find` returns something. Keeps reading after that, because a full pipe would block
/// the program.
fn wait_for_line(
    program: &mut Child,
    find: impl Fn(&str) -> Option<String> + Send + 'static,
) -> Result<String, String> {
    let output = program.stdout.take().ok_or("no output")?;
    let (sender, receiver) = mpsc::channel();
    spawn(move || {
        let mut others = Vec::new();
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            match find(&line) {
                Some(found) => drop(sender.send(Ok(found))),
                None => others.push(line),
            }
        }
        let _ = sender.send(Err(format!("it has ended: {}", others.join(" "))));
    });
    let found = receiver.recv_timeout(COMMAND_TIMEOUT);
    found.unwrap_or_else(|_| Err("it does not report its address".to_owned()))
}

/// Polls until `find` returns something, or returns `None` at the timeout.
fn wait_for<T>(mut find: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + COMMAND_TIMEOUT;
    loop {
        if let Some(found) = find() {
            return Some(found);
        }
        if Instant::now() > deadline {
            return None;
        }
        sleep(Duration::from_millis(50));
    }
}
