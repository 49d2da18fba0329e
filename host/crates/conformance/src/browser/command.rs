//! The commands of WebDriver, which Marionette shares.

use std::time::Duration;

use serde_json::Value;

/// How long a browser may take to start or to execute one command.
pub(super) const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// The key of an element's id in JSON (WebDriver, section "Elements").
pub(super) const ELEMENT_KEY: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A command of WebDriver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Navigate,
    SetTimeouts,
    ExecuteScript,
    ExecuteAsyncScript,
    FindElements,
    ElementClick,
    ElementSendKeys,
    TakeScreenshot,
    GetWindowHandle,
    NewWindow,
    SwitchToWindow,
    CloseWindow,
    SetWindowRect,
}

impl Command {
    /// Returns the command's name in Marionette.
    pub(super) fn marionette_name(self) -> String {
        format!("WebDriver:{self:?}")
    }

    /// Returns the command's method and path in WebDriver, below the session's path. `element` is the id of the element
    /// that the command acts on, if any.
    pub(super) fn endpoint(self, element: Option<&str>) -> (&'static str, String) {
        let (method, path) = match self {
            Self::Navigate => ("POST", "url"),
            Self::SetTimeouts => ("POST", "timeouts"),
            Self::ExecuteScript => ("POST", "execute/sync"),
            Self::ExecuteAsyncScript => ("POST", "execute/async"),
            Self::FindElements => ("POST", "elements"),
            Self::ElementClick => ("POST", "click"),
            Self::ElementSendKeys => ("POST", "value"),
            Self::TakeScreenshot => ("GET", "screenshot"),
            Self::GetWindowHandle => ("GET", "window"),
            Self::NewWindow => ("POST", "window/new"),
            Self::SwitchToWindow => ("POST", "window"),
            Self::CloseWindow => ("DELETE", "window"),
            Self::SetWindowRect => ("POST", "window/rect"),
        };
        (method, element.map_or_else(|| path.to_owned(), |id| format!("element/{id}/{path}")))
    }
}

/// Returns a string from a browser's response. `what` names it in the error.
pub(super) fn string(value: Option<&Value>, what: &str) -> Result<String, String> {
    value
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| format!("the browser returned {value:?} instead of {what}"))
}
