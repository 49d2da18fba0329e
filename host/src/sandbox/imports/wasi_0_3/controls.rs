//! The host side of `hotshoe:camera/controls@0.3.0`.

use wasmtime::Result;
use wasmtime::component::{Accessor, HasSelf};

use super::bindings::hotshoe::camera::controls as wit;
use crate::sandbox::imports::bindings::hotshoe::camera::controls as v0_2;
use crate::sandbox::imports::controls::{list_controls, set_control};
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {}

impl wit::HostWithStore<GuestState> for HasSelf<GuestState> {
    async fn list_controls(
        accessor: &Accessor<GuestState, Self>,
        camera: String,
    ) -> Result<Result<Vec<wit::Control>, wit::ErrorCode>> {
        // Moved, so that the name takes no memory while the call waits for its turn.
        let camera = accessor.with(move |mut access| access.get().controllable_camera(&camera));
        Ok(match camera {
            Ok(camera) => list_controls(camera)
                .await?
                .map(|controls| controls.into_iter().map(control).collect())
                .map_err(error_code),
            Err(error) => Err(error_code(error)),
        })
    }

    async fn set_control(
        accessor: &Accessor<GuestState, Self>,
        camera: String,
        control: String,
        value: i64,
    ) -> Result<Result<i64, wit::ErrorCode>> {
        let camera = accessor.with(move |mut access| access.get().controllable_camera(&camera));
        Ok(match camera {
            Ok(camera) => set_control(camera, control, value).await?.map_err(error_code),
            Err(error) => Err(error_code(error)),
        })
    }
}

fn error_code(error: v0_2::ErrorCode) -> wit::ErrorCode {
    use v0_2::ErrorCode as E;
    match error {
        E::NotAllowed => wit::ErrorCode::NotAllowed,
        E::UnknownCamera => wit::ErrorCode::UnknownCamera,
        E::UnknownControl(text) => wit::ErrorCode::UnknownControl(text),
        E::InvalidValue(text) => wit::ErrorCode::InvalidValue(text),
        E::ReadOnly => wit::ErrorCode::ReadOnly,
        E::Inactive => wit::ErrorCode::Inactive,
        E::Unavailable(text) => wit::ErrorCode::Unavailable(text),
        E::Other(text) => wit::ErrorCode::Other(text),
    }
}

fn control(control: v0_2::Control) -> wit::Control {
    let v0_2::Control { name, label, type_, value, default, flags } = control;
    let type_ = match type_ {
        v0_2::ControlType::Integer(v0_2::IntegerRange { minimum, maximum, step }) => {
            wit::ControlType::Integer(wit::IntegerRange { minimum, maximum, step })
        }
        v0_2::ControlType::Boolean => wit::ControlType::Boolean,
        v0_2::ControlType::Menu(items) => {
            let item = |v0_2::MenuItem { value, label }| wit::MenuItem { value, label };
            wit::ControlType::Menu(items.into_iter().map(item).collect())
        }
        v0_2::ControlType::Button => wit::ControlType::Button,
    };
    let mut copied = wit::ControlFlags::empty();
    for (flag, copy) in [
        (v0_2::ControlFlags::READ_ONLY, wit::ControlFlags::READ_ONLY),
        (v0_2::ControlFlags::INACTIVE, wit::ControlFlags::INACTIVE),
    ] {
        if flags.contains(flag) {
            copied |= copy;
        }
    }
    wit::Control { name, label, type_, value, default, flags: copied }
}
