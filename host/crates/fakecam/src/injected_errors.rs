//! Calls that fail because of the setting `FAIL`.

use rustix::io::Errno;

use crate::environment::Settings;

/// Counts the calls that match each item of `FAIL`.
#[derive(Debug, Default)]
pub(crate) struct InjectedErrors {
    calls: Vec<u32>,
}

impl InjectedErrors {
    /// Counts a call of an operation. Returns the error that it must fail with, if any.
    pub(crate) fn check(&mut self, settings: &Settings, operation: &str) -> Result<(), Errno> {
        let Some(text) = settings.text("FAIL") else { return Ok(()) };
        let mut result = Ok(());
        for (index, item) in text.split(',').enumerate() {
            let Some(rule) = Rule::parse(item).filter(|rule| rule.operation == operation) else { continue };
            if self.calls.len() <= index {
                self.calls.resize(index + 1, 0);
            }
            self.calls[index] += 1;
            if rule.applies_to(self.calls[index]) {
                result = Err(rule.error);
            }
        }
        result
    }
}

/// `OP=ERRNO[:COUNT[@FIRST]]`
struct Rule<'a> {
    operation: &'a str,
    error: Errno,
    /// The number of calls that fail. 0 is all.
    count: u32,
    /// The first call that fails, counted from 1.
    first: u32,
}

impl<'a> Rule<'a> {
    fn parse(item: &'a str) -> Option<Self> {
        let (operation, rest) = item.split_once('=')?;
        let (error, calls) = rest.split_once(':').unwrap_or((rest, "0"));
        let (count, first) = calls.split_once('@').unwrap_or((calls, "1"));
        Some(Self { operation, error: errno(error)?, count: count.parse().ok()?, first: first.parse().ok()? })
    }

    fn applies_to(&self, call: u32) -> bool {
        call >= self.first && (self.count == 0 || call < self.first + self.count)
    }
}

fn errno(name: &str) -> Option<Errno> {
    Some(match name {
        "EACCES" => Errno::ACCESS,
        "EAGAIN" => Errno::AGAIN,
        "EBUSY" => Errno::BUSY,
        "EFAULT" => Errno::FAULT,
        "EINTR" => Errno::INTR,
        "EINVAL" => Errno::INVAL,
        "EIO" => Errno::IO,
        "EMFILE" => Errno::MFILE,
        "ENODEV" => Errno::NODEV,
        "ENOENT" => Errno::NOENT,
        "ENOMEM" => Errno::NOMEM,
        "ENOSPC" => Errno::NOSPC,
        "ENOTTY" => Errno::NOTTY,
        "ENXIO" => Errno::NXIO,
        "EPERM" => Errno::PERM,
        "EPIPE" => Errno::PIPE,
        "EPROTO" => Errno::PROTO,
        "ERANGE" => Errno::RANGE,
        "ETIMEDOUT" => Errno::TIMEDOUT,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::environment::Environment;

    #[test]
    fn count_and_first_select_the_calls_that_fail() {
        let variable = ("FAKECAM_FAIL".to_owned(), "OPEN=EBUSY:2,DQBUF=EIO:1@3,STREAMON=EPROTO".to_owned());
        let settings = Settings::new(Arc::new(Environment::new([variable])), 0);
        let mut errors = InjectedErrors::default();
        let mut calls = |operation| [(); 4].map(|()| errors.check(&settings, operation).err());
        assert_eq!(calls("OPEN"), [Some(Errno::BUSY), Some(Errno::BUSY), None, None]);
        assert_eq!(calls("DQBUF"), [None, None, Some(Errno::IO), None]);
        assert_eq!(calls("STREAMON"), [Some(Errno::PROTO); 4]);
        assert_eq!(calls("QBUF"), [None; 4]);
    }
}
