//! The functions for WASI 0.2.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView as _};
use wasmtime_wasi::p2::ReaddirIterator;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor as _, OpenFlags, PathFlags,
};

use super::access::{self, Failure, OpenRequest};
use crate::sandbox::state::ComponentState;

/// The name of the interface in the linker.
const INTERFACE: &str = "wasi:filesystem/types@0.2.12";

/// The arguments of `open-at`.
type OpenAt = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);

/// What a function returns to the guest. The other errors are traps.
type Output<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;

pub(super) fn add_to_linker<T: ComponentState>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut types = linker.instance(INTERFACE)?;
    types.func_wrap_async("[method]descriptor.open-at", |store, arguments| Box::new(open_at(store, arguments)))?;
    types.func_wrap_async("[method]descriptor.read-directory", |store, (directory,)| {
        Box::new(read_directory(store, directory))
    })
}

async fn open_at<T: ComponentState>(
    mut store: StoreContextMut<'_, T>,
    (directory, path_flags, path, open_flags, flags): OpenAt,
) -> Output<Resource<Descriptor>> {
    let state = store.data_mut();
    let request = OpenRequest {
        path,
        follow_symlink: path_flags.contains(PathFlags::SYMLINK_FOLLOW),
        directory_only: open_flags.contains(OpenFlags::DIRECTORY),
        writes: open_flags.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
            || flags.contains(DescriptorFlags::WRITE),
    };
    let reserved = access::directory(state.ctx().table, &directory)?
        .and_then(|directory| Ok((directory, access::reserve(state)?)));
    let opened = match reserved {
        Ok((directory, places)) => access::open(directory, request, places).await,
        Err(failure) => Err(failure),
    };
    let given = match opened {
        Ok(opened) => access::give(state, opened)?,
        Err(failure) => Err(failure),
    };
    Ok((given.map_err(ErrorCode::from),))
}

async fn read_directory<T: ComponentState>(
    mut store: StoreContextMut<'_, T>,
    descriptor: Resource<Descriptor>,
) -> Output<Resource<ReaddirIterator>> {
    let state = store.data_mut();
    if !access::may_list(state) {
        return Ok((Err(ErrorCode::Quota),));
    }
    // Only wasmtime-wasi can create the iterator, so this counts the entries first.
    let checked = match access::directory(state.ctx().table, &descriptor)? {
        Ok(directory) => access::check_size(directory).await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = checked {
        return Ok((Err(failure.into()),));
    }
    match state.filesystem().read_directory(descriptor).await {
        Ok(entries) => Ok((Ok(entries),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}

impl From<Failure> for ErrorCode {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Quota => Self::Quota,
            Failure::System(error) => error.into(),
        }
    }
}
