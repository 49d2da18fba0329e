//! Real browsers: Chromium, Firefox and WebKitGTK, with the same commands for each.
//!
//! Chromium and WebKitGTK speak WebDriver, which is JSON over HTTP. Firefox speaks Marionette, which is similar JSON
//! over TCP.

mod command;
mod launch;
mod marionette;
mod options;
mod session;
mod webdriver;

use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use self::command::{Command, ELEMENT_KEY, string};
use self::launch::Programs;
pub use self::options::{Kind, Options};
use self::session::Session;

/// A running browser, headless or on a virtual display. Killed when dropped.
///
/// Each command blocks until the browser has executed it, for a minute at most.
#[derive(Debug)]
pub struct Browser {
    kind: Kind,
    // Fields are dropped in this order: the session, then the programs, then their profile.
    session: Session,
    _programs: Programs,
    _profile: tempfile::TempDir,
}

/// A reference to an element (WebDriver, section "Elements"). It becomes stale when the page is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element(String);

/// A new tab and the one it was opened from.
#[derive(Clone, Debug)]
pub struct Tab {
    handle: String,
    opener: String,
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Errors
    ///
    /// If the browser does not start, or one of its [programs](Kind::programs) is missing.
    pub fn start(options: &Options) -> Result<Self, String> {
        let profile = tempfile::tempdir().map_err(|error| format!("cannot create the browser's profile: {error}"))?;
        let (programs, session) = launch::launch(options, profile.path())?;
        let browser = Self { kind: options.kind, session, _programs: programs, _profile: profile };
        browser.execute(Command::SetTimeouts, json!({ "script": 25_000 }))?;
        if options.kind == Kind::WebKit {
            browser.resize(options.size.0, options.size.1)?;
        }
        Ok(browser)
    }

    /// Returns which browser this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Resizes the window.
    ///
    /// # Errors
    ///
    /// If the browser refuses the size.
    pub fn resize(&self, width: u32, height: u32) -> Result<(), String> {
        let rect = json!({ "x": 0, "y": 0, "width": width, "height": height });
        self.execute(Command::SetWindowRect, rect).map(drop)
    }

    /// Opens a page and waits until it has loaded.
    ///
    /// # Errors
    ///
    /// If the page cannot be loaded.
    pub fn open(&self, url: &str) -> Result<(), String> {
        self.execute(Command::Navigate, json!({ "url": url })).map(drop)
    }

    /// Runs the body of a JavaScript function in the page and returns its result.
    ///
    /// # Errors
    ///
    /// If the script throws.
    pub fn run(&self, script: &str) -> Result<Value, String> {
        self.execute(Command::ExecuteScript, json!({ "script": script, "args": [] }))
    }

    /// Runs an asynchronous script and returns its result, which the script passes to its last argument,
    /// `arguments[0]`.
    ///
    /// # Errors
    ///
    /// If the script throws, or takes longer than 25 s.
    pub fn run_async(&self, script: &str) -> Result<Value, String> {
        self.execute(Command::ExecuteAsyncScript, json!({ "script": script, "args": [] }))
    }

    /// Polls until a script returns the expected value. A script that throws is run again, because the page may be
    /// loading: Firefox also runs scripts in a document that has no elements yet.
    ///
    /// # Errors
    ///
    /// If the timeout expires, with the last value or error.
    pub fn wait_for(&self, script: &str, expected: &Value, timeout: Duration) -> Result<(), String> {
        let deadline = Instant::now() + timeout;
        loop {
            let found = self.run(script);
            if found.as_ref() == Ok(expected) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(match found {
                    Ok(found) => format!("after {timeout:.0?} {script:?} is {found}, not {expected}"),
                    Err(error) => format!("after {timeout:.0?} {script:?} still fails: {error}"),
                });
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// Returns all elements that match a CSS selector.
    ///
    /// # Errors
    ///
    /// If the selector is invalid.
    pub fn find_all(&self, selector: &str) -> Result<Vec<Element>, String> {
        let found = self.execute(Command::FindElements, json!({ "using": "css selector", "value": selector }))?;
        let found = found.as_array().cloned().unwrap_or_default();
        found.iter().map(|element| string(element.get(ELEMENT_KEY), "an element").map(Element)).collect()
    }

    /// Returns the only element that matches a CSS selector.
    ///
    /// # Errors
    ///
    /// If no element or several elements match.
    pub fn find(&self, selector: &str) -> Result<Element, String> {
        let found = self.find_all(selector)?;
        match found.as_slice() {
            [element] => Ok(element.clone()),
            _ => Err(format!("{} elements match {selector:?}, not one", found.len())),
        }
    }

    /// Clicks the centre of an element.
    ///
    /// # Errors
    ///
    /// If another element covers it.
    pub fn click(&self, element: &Element) -> Result<(), String> {
        self.session.execute(Command::ElementClick, Some(&element.0), json!({})).map(drop)
    }

    /// Types into an element.
    ///
    /// # Errors
    ///
    /// If the element does not accept keyboard input.
    pub fn send_keys(&self, element: &Element, keys: &str) -> Result<(), String> {
        self.session.execute(Command::ElementSendKeys, Some(&element.0), json!({ "text": keys })).map(drop)
    }

    /// Takes a screenshot of an element, as a PNG file.
    ///
    /// # Errors
    ///
    /// If the element is not visible.
    pub fn screenshot(&self, element: &Element) -> Result<Vec<u8>, String> {
        self.take_screenshot(Some(&element.0))
    }

    /// Takes a screenshot of the window, as a PNG file.
    ///
    /// # Errors
    ///
    /// If the browser cannot take one.
    pub fn screenshot_page(&self) -> Result<Vec<u8>, String> {
        self.take_screenshot(None)
    }

    /// Waits until an element looks different from now.
    ///
    /// # Errors
    ///
    /// If the timeout expires.
    pub fn wait_for_change(&self, element: &Element, timeout: Duration) -> Result<(), String> {
        let deadline = Instant::now() + timeout;
        let before = self.screenshot(element)?;
        while self.screenshot(element)? == before {
            if Instant::now() > deadline {
                return Err(format!("the image has not changed for {timeout:.0?}"));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Opens an empty tab and switches to it. The present tab becomes hidden, except in WebKitGTK, which opens tabs in
    /// the background.
    ///
    /// # Errors
    ///
    /// If the browser cannot open a tab.
    pub fn open_tab(&self) -> Result<Tab, String> {
        let opener = string(Some(&self.execute(Command::GetWindowHandle, json!({}))?), "a window handle")?;
        let opened = self.execute(Command::NewWindow, json!({ "type": "tab", "focus": true }))?;
        let handle = string(opened.get("handle"), "a window handle")?;
        self.switch_to(&handle)?;
        Ok(Tab { handle, opener })
    }

    /// Closes a tab and switches to the one it was opened from.
    ///
    /// # Errors
    ///
    /// If either tab was closed.
    pub fn close_tab(&self, tab: &Tab) -> Result<(), String> {
        self.execute(Command::CloseWindow, json!({}))?;
        self.switch_to(&tab.opener)
    }

    /// Closes the tab that this one was opened from.
    ///
    /// # Errors
    ///
    /// If either tab was closed.
    pub fn close_opener(&self, tab: &Tab) -> Result<(), String> {
        self.switch_to(&tab.opener)?;
        self.execute(Command::CloseWindow, json!({}))?;
        self.switch_to(&tab.handle)
    }

    /// Executes a command of the Chrome DevTools Protocol, such as `Emulation.setEmulatedMedia`.
    ///
    /// # Errors
    ///
    /// If the command fails, or the browser is not Chromium.
    pub fn execute_cdp(&self, command: &str, parameters: &Value) -> Result<Value, String> {
        match (&self.session, self.kind) {
            (Session::WebDriver(session), Kind::Chromium) => session.execute_cdp(command, parameters),
            _ => Err(format!("{} does not support the Chrome DevTools Protocol", self.kind.name())),
        }
    }

    /// Emulates a user's preference for a dark or a light colour scheme. Chromium only.
    ///
    /// # Errors
    ///
    /// As for [`Browser::execute_cdp`].
    pub fn emulate_dark_scheme(&self, dark: bool) -> Result<(), String> {
        let value = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.execute_cdp("Emulation.setEmulatedMedia", &features).map(drop)
    }

    /// Emulates the screen of a desktop computer. Chromium only.
    ///
    /// # Errors
    ///
    /// As for [`Browser::execute_cdp`].
    pub fn emulate_desktop(&self, width: u32, height: u32) -> Result<(), String> {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.execute_cdp("Emulation.setDeviceMetricsOverride", &screen).map(drop)
    }

    /// Emulates the touch screen of a phone. `scale` is the number of device pixels per CSS pixel. Chromium only.
    ///
    /// # Errors
    ///
    /// As for [`Browser::execute_cdp`].
    pub fn emulate_phone(&self, width: u32, height: u32, scale: f64) -> Result<(), String> {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": true });
        self.execute_cdp("Emulation.setDeviceMetricsOverride", &screen)?;
        self.execute_cdp("Emulation.setTouchEmulationEnabled", &json!({ "enabled": true })).map(drop)
    }

    fn take_screenshot(&self, element: Option<&str>) -> Result<Vec<u8>, String> {
        let parameters = json!({ "full": false, "hash": false });
        let response = self.session.execute(Command::TakeScreenshot, element, parameters)?;
        let png = string(Some(&response), "a screenshot")?;
        base64::engine::general_purpose::STANDARD.decode(png).map_err(|error| format!("a screenshot: {error}"))
    }

    fn switch_to(&self, handle: &str) -> Result<(), String> {
        // Only Firefox needs `focus` to bring a tab to the front.
        self.execute(Command::SwitchToWindow, json!({ "handle": handle, "focus": true })).map(drop)
    }

    fn execute(&self, command: Command, parameters: Value) -> Result<Value, String> {
        self.session.execute(command, None, parameters)
    }
}
