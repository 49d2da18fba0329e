//! Which browser to start, and how.

use crate::program;

/// A browser that the kit can drive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Chromium, through `chromedriver`.
    #[default]
    Chromium,
    /// Firefox or Firefox ESR.
    Firefox,
    /// WebKitGTK, the closest relative of Safari on Linux, through `WebKitWebDriver` and Xvfb.
    WebKit,
}

impl Kind {
    /// All browsers.
    pub const ALL: [Self; 3] = [Self::Chromium, Self::Firefox, Self::WebKit];

    /// Returns the name in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::WebKit => "webkit",
        }
    }

    /// Returns the programs that the browser needs.
    #[must_use]
    pub fn programs(self) -> Vec<&'static str> {
        match self {
            Self::Chromium => vec!["chromium", "chromedriver"],
            Self::Firefox => vec![firefox_program()],
            Self::WebKit => vec!["WebKitWebDriver", "Xvfb"],
        }
    }
}

/// Returns the name of the installed Firefox: the extended support release if there is one.
pub(super) fn firefox_program() -> &'static str {
    if program::exists("firefox-esr") { "firefox-esr" } else { "firefox" }
}

/// How to start a browser.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which browser to start.
    pub kind: Kind,
    /// Width and height of the window, in pixels.
    pub size: (u32, u32),
    /// Additional arguments of the browser, such as Chromium's `--force-prefers-reduced-motion`.
    pub arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { kind: Kind::default(), size: (1000, 700), arguments: Vec::new() }
    }
}
