//! The host's side of `hotshoe:camera/controls`: what guests may set on cameras.
//!
//! What each function promises is said in `wit/controls.wit`; here stands only how it is kept.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use wasmtime::Result;

use super::bindings::hotshoe::camera::controls as wit;
use crate::camera::Camera;
use crate::camera::controls::{Control, ControlError, ControlKind};
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {
    async fn list_controls(&mut self, camera: String) -> Result<Result<Vec<wit::Control>, wit::ErrorCode>> {
        let camera = match self.controlled(&camera) {
            Ok(camera) => camera,
            Err(error) => return Ok(Err(error)),
        };
        let turn = camera.lock_controls().await;
        // A device may take seconds to answer.
        let controls = spawn_blocking(move || {
            let _turn = turn;
            camera.controls()
        });
        let controls = controls.await?;
        let controls = controls.map(|controls| controls.into_iter().map(control).collect());
        Ok(controls.map_err(|error| wit::ErrorCode::Unavailable(error.to_string())))
    }

    async fn set_control(
        &mut self,
        camera: String,
        control: String,
        value: i64,
    ) -> Result<Result<i64, wit::ErrorCode>> {
        let camera = match self.controlled(&camera) {
            Ok(camera) => camera,
            Err(error) => return Ok(Err(error)),
        };
        let turn = camera.lock_controls().await;
        let set = spawn_blocking(move || {
            let _turn = turn;
            camera.set_control(&control, value)
        });
        let set = set.await?;
        Ok(set.map_err(|error| error_code(&error)))
    }
}

impl GuestState {
    /// The camera of this name, if guests may set anything on cameras.
    fn controlled(&self, camera: &str) -> Result<Arc<Camera>, wit::ErrorCode> {
        if !self.allow_control {
            return Err(wit::ErrorCode::NotAllowed);
        }
        self.cameras.get(camera).cloned().ok_or(wit::ErrorCode::UnknownCamera)
    }
}

fn error_code(error: &ControlError) -> wit::ErrorCode {
    match error {
        ControlError::Unknown { .. } => wit::ErrorCode::UnknownControl(error.to_string()),
        ControlError::OutOfRange { .. } => wit::ErrorCode::InvalidValue(error.to_string()),
        ControlError::ReadOnly { .. } => wit::ErrorCode::ReadOnly,
        ControlError::Inactive { .. } => wit::ErrorCode::Inactive,
        ControlError::Source(_) => wit::ErrorCode::Unavailable(error.to_string()),
    }
}

fn control(control: Control) -> wit::Control {
    let Control { name, label, kind, value, default, read_only, inactive } = control;
    let kind = match kind {
        ControlKind::Integer { minimum, maximum, step } => {
            wit::Kind::Integer(wit::NumberRange { minimum, maximum, step })
        }
        ControlKind::Boolean => wit::Kind::Boolean,
        ControlKind::Menu(items) => {
            let item = |item: crate::camera::controls::MenuItem| wit::MenuItem { value: item.value, label: item.label };
            wit::Kind::Menu(items.into_iter().map(item).collect())
        }
        ControlKind::Button => wit::Kind::Button,
    };
    wit::Control { name, label, kind, value, default, read_only, inactive }
}
