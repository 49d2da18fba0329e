//! The host side of `hotshoe:camera/controls`.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use wasmtime::Result;

use super::bindings::hotshoe::camera::controls as wit;
use crate::camera::Camera;
use crate::camera::controls::{Control, ControlError, ControlKind, MenuItem};
use crate::sandbox::state::GuestState;

/// The longest name of a control, in bytes. The kernel's have 31 (`v4l2_queryctrl`), and many calls with longer ones could
/// wait for a slow camera.
const MAX_CONTROL_NAME: usize = 256;

impl wit::Host for GuestState {
    async fn blocking_list_controls(&mut self, camera: String) -> Result<Result<Vec<wit::Control>, wit::ErrorCode>> {
        let camera = match self.controllable_camera(&camera) {
            Ok(camera) => camera,
            Err(error) => return Ok(Err(error)),
        };
        list_controls(camera).await
    }

    async fn blocking_set_control(
        &mut self,
        camera: String,
        control: String,
        value: i64,
    ) -> Result<Result<i64, wit::ErrorCode>> {
        let camera = match self.controllable_camera(&camera) {
            Ok(camera) => camera,
            Err(error) => return Ok(Err(error)),
        };
        set_control(camera, control, value).await
    }
}

/// Returns the controls of a camera. A device may take seconds to answer.
pub(super) async fn list_controls(camera: Arc<Camera>) -> Result<Result<Vec<wit::Control>, wit::ErrorCode>> {
    let turn = camera.lock_controls().await;
    let controls = spawn_blocking(move || {
        let _turn = turn;
        camera.controls()
    });
    let controls = controls.await?;
    let controls = controls.map(|controls| controls.into_iter().map(control).collect());
    Ok(controls.map_err(|error| wit::ErrorCode::Unavailable(error.to_string())))
}

/// Sets a control of a camera, and returns the resulting value. A device may take seconds to answer.
pub(super) async fn set_control(
    camera: Arc<Camera>,
    control: String,
    value: i64,
) -> Result<Result<i64, wit::ErrorCode>> {
    if control.len() > MAX_CONTROL_NAME {
        return Ok(Err(wit::ErrorCode::UnknownControl("the name of the control is too long".to_owned())));
    }
    let turn = camera.lock_controls().await;
    let set = spawn_blocking(move || {
        let _turn = turn;
        camera.set_control(&control, value)
    });
    let set = set.await?;
    Ok(set.map_err(|error| error_code(&error)))
}

impl GuestState {
    /// Returns the camera with this name if guests may access controls.
    pub(super) fn controllable_camera(&self, camera: &str) -> Result<Arc<Camera>, wit::ErrorCode> {
        if !self.allow_control {
            return Err(wit::ErrorCode::NotAllowed);
        }
        self.cameras.get(camera).ok_or(wit::ErrorCode::UnknownCamera)
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
    let mut flags = wit::ControlFlags::empty();
    if read_only {
        flags |= wit::ControlFlags::READ_ONLY;
    }
    if inactive {
        flags |= wit::ControlFlags::INACTIVE;
    }
    wit::Control { name, label, type_: control_type(kind), value, default, flags }
}

fn control_type(kind: ControlKind) -> wit::ControlType {
    match kind {
        ControlKind::Integer { minimum, maximum, step } => {
            wit::ControlType::Integer(wit::IntegerRange { minimum, maximum, step })
        }
        ControlKind::Boolean => wit::ControlType::Boolean,
        ControlKind::Menu(items) => {
            let item = |item: MenuItem| wit::MenuItem { value: item.value, label: item.label };
            wit::ControlType::Menu(items.into_iter().map(item).collect())
        }
        ControlKind::Button => wit::ControlType::Button,
    }
}
