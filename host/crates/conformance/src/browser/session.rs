//! A session with a browser, over either of the two protocols that browsers are driven by.

use serde_json::{Value, json};

use super::marionette::Marionette;
use super::webdriver::WebDriver;

/// The key under which WebDriver gives elements (WebDriver, section 12).
pub(super) const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A command of WebDriver. Marionette has the same ones under names of its own.
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
    /// The name in Marionette.
    pub(super) fn name(self) -> String {
        format!("WebDriver:{self:?}")
    }

    /// Method and path in WebDriver, for the element of this id if the command is about one.
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

/// A session. It ends with the browser.
#[derive(Debug)]
pub(super) enum Session {
    WebDriver(WebDriver),
    Marionette(Marionette),
}

impl Session {
    /// Have a command done.
    pub(super) fn call(&self, command: Command, element: Option<&str>, parameters: Value) -> Result<Value, String> {
        match self {
            Self::WebDriver(session) => session.call(command, element, &parameters),
            Self::Marionette(session) => session.call(&command.name(), with_id(element, parameters)),
        }
    }
}

/// Marionette has the id of an element among the parameters.
fn with_id(element: Option<&str>, mut parameters: Value) -> Value {
    if let (Some(id), Some(object)) = (element, parameters.as_object_mut()) {
        object.insert("id".into(), json!(id));
    }
    parameters
}
