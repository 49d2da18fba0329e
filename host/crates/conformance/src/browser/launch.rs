//! Starting each of the browsers, with a profile of its own.

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

use super::marionette::Marionette;
use super::session::Session;
use super::webdriver::WebDriver;
use super::{Kind, Options, PATIENCE};
use crate::program::kill_group;

/// Programs that end when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Programs(Vec<Child>);

impl Programs {
    /// Start a program. It leads a group of its own, so that what it starts ends with it.
    fn start(&mut self, command: &mut Command) -> Result<&mut Child, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        self.0.push(command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?);
        self.0.last_mut().ok_or_else(|| format!("{name} is gone"))
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        self.0.iter_mut().rev().for_each(kill_group);
    }
}

/// Start a browser with this folder for its profile.
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
    let driver = programs.start(Command::new("chromedriver").arg("--port=0"))?;
    let port = wait_for_line(driver, |line| {
        let (_, port) = line.split_once("successfully on port ")?;
        Some(port.trim_end_matches('.').to_owned())
    })
    .map_err(|error| format!("chromedriver: {error}"))?;
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
    let wanted = json!({ "acceptInsecureCerts": true, "goog:chromeOptions": { "args": arguments } });
    Ok(Session::WebDriver(WebDriver::begin(format!("127.0.0.1:{port}"), &wanted)?))
}

/// Without geckodriver, which would translate WebDriver into what Firefox speaks.
fn firefox(programs: &mut Programs, options: &Options, profile: &Path) -> Result<Session, String> {
    // At a free port, which it writes into its profile.
    let preferences =
        "user_pref(\"marionette.port\", 0);\nuser_pref(\"datareporting.policy.dataSubmissionEnabled\", false);\n";
    fs::write(profile.join("user.js"), preferences).map_err(|error| format!("a browser's profile: {error}"))?;
    let name = Kind::Firefox.programs().into_iter().next().unwrap_or_default();
    let (width, height) = options.size;
    let mut command = Command::new(name);
    command.args(["--marionette", "--headless", "--no-remote", "--profile"]).arg(profile);
    command.args([format!("--width={width}"), format!("--height={height}")]).args(&options.arguments);
    let browser = programs.start(&mut command)?;
    // A pipe that nobody reads would stop it.
    drop(browser.stdout.take());
    let port = wait_for(|| fs::read_to_string(profile.join("MarionetteActivePort")).ok())
        .ok_or("Firefox does not say its port")?;
    let address = format!("127.0.0.1:{}", port.trim());
    wait_for(|| std::net::TcpStream::connect(&address).ok()).ok_or("Firefox does not listen")?;
    Ok(Session::Marionette(Marionette::begin(&address, &json!({ "acceptInsecureCerts": true }))?))
}

/// It has no headless mode: it is given a display of its own.
fn webkit(programs: &mut Programs, options: &Options, profile: &Path) -> Result<Session, String> {
    let (width, height) = (options.size.0.max(1300), options.size.1.max(1000));
    let mut display = Command::new("Xvfb");
    display.args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0"]).arg(format!("{width}x{height}x24"));
    let display = programs.start(&mut display)?;
    let number =
        wait_for_line(display, |line| Some(line.trim().to_owned())).map_err(|error| format!("Xvfb: {error}"))?;
    // The driver takes no port of 0.
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).map_err(|error| error.to_string())?;
    let mut driver = Command::new("WebKitWebDriver");
    driver.arg(format!("--port={}", port.port())).env("DISPLAY", format!(":{number}"));
    // No graphics card, no screen reader; and nothing is read or kept of whoever runs this.
    driver.env("WEBKIT_DISABLE_COMPOSITING_MODE", "1").env("NO_AT_BRIDGE", "1").env("HOME", profile);
    for folder in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        driver.env(folder, profile);
    }
    let driver = programs.start(&mut driver)?;
    drop(driver.stdout.take());
    wait_for(|| std::net::TcpStream::connect(port).ok()).ok_or("WebKitWebDriver does not listen")?;
    let wanted = match mini_browser() {
        Some(browser) => json!({
            "acceptInsecureCerts": true,
            "webkitgtk:browserOptions": { "binary": browser, "args": ["--automation"] },
        }),
        None => json!({ "acceptInsecureCerts": true }),
    };
    Ok(Session::WebDriver(WebDriver::begin(port.to_string(), &wanted)?))
}

/// Where distributions have WebKitGTK's browser, if not where the driver looks.
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

/// Read what a program says until a line has what is looked for. What it says after that is read too, for a program that
/// cannot write stops.
fn wait_for_line(
    program: &mut Child,
    find: impl Fn(&str) -> Option<String> + Send + 'static,
) -> Result<String, String> {
    let output = program.stdout.take().ok_or("it has no output")?;
    let (sender, receiver) = mpsc::channel();
    spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(found) = find(&line) {
                let _ = sender.send(found);
            }
        }
    });
    receiver.recv_timeout(PATIENCE).map_err(|_| "it does not say where it is".to_owned())
}

fn wait_for<T>(mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return Some(found);
        }
        if Instant::now() > until {
            return None;
        }
        sleep(Duration::from_millis(50));
    }
}
