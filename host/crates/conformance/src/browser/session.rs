//! A session with a browser, over WebDriver or Marionette.

use serde_json::{Value, json};

use super::command::Command;
use super::marionette::Marionette;
use super::webdriver::WebDriver;

/// A session. It ends with the browser.
#[derive(Debug)]
pub(super) enum Session {
    WebDriver(WebDriver),
    Marionette(Marionette),
}

impl Session {
    /// Executes a command, on an element if it needs one, and returns its result.
    pub(super) fn execute(&self, command: Command, element: Option<&str>, parameters: Value) -> Result<Value, String> {
        match self {
            Self::WebDriver(session) => session.execute(command, element, &parameters),
            Self::Marionette(session) => session.execute(&command.marionette_name(), with_element(element, parameters)),
        }
    }
}

/// Adds an element's id to the parameters, where Marionette expects it.
fn with_element(element: Option<&str>, mut parameters: Value) -> Value {
    if let (Some(id), Some(object)) = (element, parameters.as_object_mut()) {
        object.insert("id".into(), json!(id));
    }
    parameters
}
