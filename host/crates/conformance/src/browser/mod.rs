//! A real browser: Chromium, Firefox or WebKitGTK, with the same commands for each.
//!
//! Chromium and WebKitGTK are driven over WebDriver, which is JSON over HTTP; Firefox over Marionette, which is the same
//! JSON over TCP.

mod launch;
mod marionette;
mod session;
mod webdriver;

use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use self::launch::Programs;
use self::session::{Command, ELEMENT, Session};
use crate::program;

/// How long the browser may take to do one thing.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser that can be driven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Chromium, by `chromedriver`.
    #[default]
    Chromium,
    /// Firefox or Firefox ESR.
    Firefox,
    /// WebKitGTK, the nearest to Safari on Linux, by `WebKitWebDriver` under Xvfb.
    WebKit,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Chromium, Self::Firefox, Self::WebKit];

    /// The name, in small letters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::WebKit => "webkit",
        }
    }

    /// The programs that it takes.
    #[must_use]
    pub fn programs(self) -> Vec<&'static str> {
        match self {
            Self::Chromium => vec!["chromium", "chromedriver"],
            Self::Firefox if program::exists("firefox-esr") => vec!["firefox-esr"],
            Self::Firefox => vec!["firefox"],
            Self::WebKit => vec!["WebKitWebDriver", "Xvfb"],
        }
    }
}

/// How a browser is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which browser.
    pub kind: Kind,
    /// Width and height of the window.
    pub size: (u32, u32),
    /// More of the browser's arguments, such as Chromium's `--force-prefers-reduced-motion`.
    pub arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { kind: Kind::default(), size: (1000, 700), arguments: Vec::new() }
    }
}

/// A browser under its driver, without a window on anyone's screen. It ends when dropped.
#[derive(Debug)]
pub struct Browser {
    kind: Kind,
    // Dropped in this order: the session before the programs, and they before their profile.
    session: Session,
    _programs: Programs,
    _profile: tempfile::TempDir,
}

/// An element of the page, as WebDriver names it. Another page makes it stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element(String);

/// A tab in front of another.
#[derive(Clone, Debug)]
pub struct Tab {
    front: String,
    behind: String,
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Errors
    ///
    /// If it does not start, or one of its [programs](Kind::programs) is missing.
    pub fn start(options: &Options) -> Result<Self, String> {
        let profile = tempfile::tempdir().map_err(|error| format!("no folder for a browser's profile: {error}"))?;
        let (programs, session) = launch::launch(options, profile.path())?;
        let browser = Self { kind: options.kind, session, _programs: programs, _profile: profile };
        browser.call(Command::SetTimeouts, json!({ "script": 25_000 }))?;
        if options.kind == Kind::WebKit {
            browser.resize(options.size.0, options.size.1)?;
        }
        Ok(browser)
    }

    /// Which browser it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Gives the window this size.
    ///
    /// # Errors
    ///
    /// If it cannot have that.
    pub fn resize(&self, width: u32, height: u32) -> Result<(), String> {
        let rect = json!({ "x": 0, "y": 0, "width": width, "height": height });
        self.call(Command::SetWindowRect, rect).map(drop)
    }

    /// Opens a page and waits until it is loaded.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn open(&self, url: &str) -> Result<(), String> {
        self.call(Command::Navigate, json!({ "url": url })).map(drop)
    }

    /// Runs the body of a JavaScript function in the page, and gives what it returns.
    ///
    /// # Errors
    ///
    /// If it throws.
    pub fn run(&self, script: &str) -> Result<Value, String> {
        self.call(Command::ExecuteScript, json!({ "script": script, "args": [] }))
    }

    /// The same for a script that calls its last argument, `arguments[0]`, when it is done.
    ///
    /// # Errors
    ///
    /// If it throws, or is not done in time.
    pub fn run_async(&self, script: &str) -> Result<Value, String> {
        self.call(Command::ExecuteAsyncScript, json!({ "script": script, "args": [] }))
    }

    /// Waits until a script returns what is expected.
    ///
    /// # Errors
    ///
    /// If it does not in time, with what it returned last.
    pub fn wait_for(&self, script: &str, expected: &Value, within: Duration) -> Result<(), String> {
        let until = Instant::now() + within;
        loop {
            let found = self.run(script)?;
            if found == *expected {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("after {within:.0?} {script:?} is {found}, not {expected}"));
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// All elements that a CSS selector matches.
    ///
    /// # Errors
    ///
    /// If the selector is wrong.
    pub fn find_all(&self, selector: &str) -> Result<Vec<Element>, String> {
        let found = self.call(Command::FindElements, json!({ "using": "css selector", "value": selector }))?;
        let found = found.as_array().cloned().unwrap_or_default();
        found.iter().map(|element| text(element.get(ELEMENT), "an element").map(Element)).collect()
    }

    /// The only element that a CSS selector matches.
    ///
    /// # Errors
    ///
    /// If there is none, or another.
    pub fn find(&self, selector: &str) -> Result<Element, String> {
        let found = self.find_all(selector)?;
        match found.as_slice() {
            [element] => Ok(element.clone()),
            _ => Err(format!("the page has {} of {selector:?}, not one", found.len())),
        }
    }

    /// Clicks into an element's middle.
    ///
    /// # Errors
    ///
    /// If something is in the way.
    pub fn click(&self, element: &Element) -> Result<(), String> {
        self.session.call(Command::ElementClick, Some(&element.0), json!({})).map(drop)
    }

    /// Types into an element.
    ///
    /// # Errors
    ///
    /// If it takes no keys.
    pub fn send_keys(&self, element: &Element, keys: &str) -> Result<(), String> {
        self.session.call(Command::ElementSendKeys, Some(&element.0), json!({ "text": keys })).map(drop)
    }

    /// A picture of one element, as a PNG file.
    ///
    /// # Errors
    ///
    /// If it has none.
    pub fn screenshot(&self, element: &Element) -> Result<Vec<u8>, String> {
        self.png(Some(&element.0))
    }

    /// A picture of the window, as a PNG file.
    ///
    /// # Errors
    ///
    /// If it has none.
    pub fn screenshot_page(&self) -> Result<Vec<u8>, String> {
        self.png(None)
    }

    /// Waits until an element looks otherwise than now.
    ///
    /// # Errors
    ///
    /// If it does not in time.
    pub fn moves(&self, element: &Element, within: Duration) -> Result<(), String> {
        let until = Instant::now() + within;
        let before = self.screenshot(element)?;
        while self.screenshot(element)? == before {
            if Instant::now() > until {
                return Err(format!("the picture stands still for {within:.0?}"));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Opens an empty tab in front of the present one, which is hidden by that; but not in WebKitGTK,
    /// which leaves the present one in front. What is done next is done in the new one.
    ///
    /// # Errors
    ///
    /// If the browser has no more.
    pub fn open_tab(&self) -> Result<Tab, String> {
        let behind = text(Some(&self.call(Command::GetWindowHandle, json!({}))?), "a tab")?;
        let opened = self.call(Command::NewWindow, json!({ "type": "tab", "focus": true }))?;
        let front = text(opened.get("handle"), "a tab")?;
        self.switch_to(&front)?;
        Ok(Tab { front, behind })
    }

    /// Closes the tab in front, and goes back to the one behind it.
    ///
    /// # Errors
    ///
    /// If that is gone.
    pub fn close_tab(&self, tab: &Tab) -> Result<(), String> {
        self.call(Command::CloseWindow, json!({}))?;
        self.switch_to(&tab.behind)
    }

    /// Closes the tab behind this one.
    ///
    /// # Errors
    ///
    /// If it is gone.
    pub fn close_tab_behind(&self, tab: &Tab) -> Result<(), String> {
        self.switch_to(&tab.behind)?;
        self.call(Command::CloseWindow, json!({}))?;
        self.switch_to(&tab.front)
    }

    /// A command of the Chrome DevTools Protocol, such as `Emulation.setEmulatedMedia`.
    ///
    /// # Errors
    ///
    /// If the browser does not do it, or is not Chromium.
    pub fn cdp(&self, command: &str, parameters: &Value) -> Result<Value, String> {
        match (&self.session, self.kind) {
            (Session::WebDriver(session), Kind::Chromium) => session.cdp(command, parameters),
            _ => Err(format!("{} does not speak the Chrome DevTools Protocol", self.kind.name())),
        }
    }

    /// Makes pages see that a user prefers dark colours, or light ones.
    ///
    /// # Errors
    ///
    /// If the browser cannot.
    pub fn prefer_dark(&self, dark: bool) -> Result<(), String> {
        let value = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.cdp("Emulation.setEmulatedMedia", &features).map(drop)
    }

    /// Makes pages see a desktop's window of this size.
    ///
    /// # Errors
    ///
    /// If the browser cannot.
    pub fn be_screen(&self, width: u32, height: u32) -> Result<(), String> {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.cdp("Emulation.setDeviceMetricsOverride", &screen).map(drop)
    }

    /// Makes pages see a phone's screen, with so many device pixels to a pixel.
    ///
    /// # Errors
    ///
    /// If the browser cannot.
    pub fn be_phone(&self, width: u32, height: u32, scale: f64) -> Result<(), String> {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": true });
        self.cdp("Emulation.setDeviceMetricsOverride", &screen)?;
        self.cdp("Emulation.setTouchEmulationEnabled", &json!({ "enabled": true })).map(drop)
    }

    fn png(&self, element: Option<&str>) -> Result<Vec<u8>, String> {
        let taken = self.session.call(Command::TakeScreenshot, element, json!({ "full": false, "hash": false }))?;
        let png = text(Some(&taken), "a PNG")?;
        base64::engine::general_purpose::STANDARD.decode(png).map_err(|error| format!("a screenshot: {error}"))
    }

    fn switch_to(&self, handle: &str) -> Result<(), String> {
        // Firefox brings a tab to the front only if told so; the others always do.
        self.call(Command::SwitchToWindow, json!({ "handle": handle, "focus": true })).map(drop)
    }

    fn call(&self, command: Command, parameters: Value) -> Result<Value, String> {
        self.session.call(command, None, parameters)
    }
}

/// A string of an answer.
fn text(value: Option<&Value>, what: &str) -> Result<String, String> {
    value.and_then(Value::as_str).map(str::to_owned).ok_or_else(|| format!("the browser gives {value:?}, not {what}"))
}
