//! What a reload has changed.

use std::collections::BTreeMap;

use serde::Serialize;
use tracing::{info, warn};

use crate::http::auth::{Rules, Users};

/// What a reload has changed.
#[derive(Debug, Default, Serialize)]
pub(in crate::app) struct ReloadReport {
    pub(super) cameras: Changes,
    pub(super) users: Changes,
    /// Whether other tokens are valid.
    pub(super) tokens: bool,
    /// Whether another certificate is in use.
    pub(super) certificate: bool,
    /// The options with another limit.
    pub(super) limits: Vec<&'static str>,
    /// The options, and the cameras as `cameras.NAME`, that differ from what runs until the next start.
    pub(super) needs_restart: Vec<String>,
    /// Why a camera needs a restart, by `cameras.NAME`.
    pub(super) reasons: BTreeMap<String, String>,
}

/// The names of what was changed.
#[derive(Debug, Default, Eq, PartialEq, Serialize)]
pub(super) struct Changes {
    pub(super) added: Vec<String>,
    pub(super) changed: Vec<String>,
    pub(super) removed: Vec<String>,
}

impl ReloadReport {
    /// Notes the differences between users and tokens.
    pub(super) fn compare_rules(&mut self, before: &Rules, after: &Rules) {
        let not_in = |users: &Users, others: &Users| -> Vec<String> {
            users.names().filter(|name| others.get(name).is_none()).map(str::to_owned).collect()
        };
        let is_changed = |name: &&str| {
            after.users.get(name).is_some_and(|user| before.users.get(name).is_some_and(|before| before != user))
        };
        self.users = Changes {
            added: not_in(&after.users, &before.users),
            changed: after.users.names().filter(is_changed).map(str::to_owned).collect(),
            removed: not_in(&before.users, &after.users),
        };
        self.tokens = before.tokens != after.tokens;
    }

    /// Logs the report.
    pub(super) fn log(&self) {
        let mut parts = Vec::new();
        for (name, changes) in [("camera", &self.cameras), ("user", &self.users)] {
            let Changes { added, changed, removed } = changes;
            for (verb, names) in [("added", added), ("changed", changed), ("removed", removed)] {
                parts.extend(names.iter().map(|changed| format!("{name} {changed} {verb}")));
            }
        }
        parts.extend(self.tokens.then(|| "other tokens are valid".to_owned()));
        parts.extend(self.certificate.then(|| "another certificate".to_owned()));
        parts.extend(self.limits.iter().map(|limit| format!("another {limit}")));
        match parts.is_empty() {
            true => info!("reloaded the configuration: nothing has changed"),
            false => info!("reloaded the configuration: {}", parts.join(", ")),
        }
        if !self.needs_restart.is_empty() {
            let with_reason = |key: &String| match self.reasons.get(key) {
                Some(reason) => format!("{key} ({reason})"),
                None => key.clone(),
            };
            let keys: Vec<_> = self.needs_restart.iter().map(with_reason).collect();
            warn!("these changes of the configuration need a restart: {}", keys.join(", "));
        }
    }
}
