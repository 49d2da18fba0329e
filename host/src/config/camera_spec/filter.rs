//! `filter=FILE[?KEY=VALUE[&KEY=VALUE]…]`: a filter, and its configuration.

use std::path::PathBuf;
use std::str::FromStr;

use super::error::CameraSpecError;

/// A filter of a camera.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterSpec {
    /// The file of the component.
    pub file: PathBuf,
    /// Its configuration: keys and values.
    pub configuration: Vec<(String, String)>,
}

impl FromStr for FilterSpec {
    type Err = CameraSpecError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        let invalid = || CameraSpecError::InvalidFilter(input.to_owned());
        let (file, configuration) = match input.split_once('?') {
            Some((file, configuration)) => (file, configuration.split('&').collect()),
            None => (input, Vec::new()),
        };
        if file.is_empty() {
            return Err(invalid());
        }
        let entry = |entry: &str| {
            let (key, value) = entry.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(invalid)?;
            Ok::<_, CameraSpecError>((key.to_owned(), value.to_owned()))
        };
        Ok(Self { file: file.into(), configuration: configuration.into_iter().map(entry).collect::<Result<_, _>>()? })
    }
}
