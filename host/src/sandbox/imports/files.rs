//! The functions of `wasi:filesystem/types` that differ from those of wasmtime-wasi.
//!
//! wasmtime-wasi opens whatever a path leads to, in a thread of Tokio's pool. A named pipe without a writer would block
//! the thread forever, and some hundred requests would block the whole pool. It also has no limit on open files, and
//! lists a directory of any size in memory.

use std::io;

use tokio::task::spawn_blocking;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, Dir, File, WasiFilesystemView as _};
use wasmtime_wasi::p2::ReaddirIterator;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor as _, OpenFlags, PathFlags,
};
use wasmtime_wasi::{FsPerms, OpenMode};

use crate::sandbox::grants::{MAX_OPEN_FILES, OpenFiles, open_beneath};
use crate::sandbox::state::ComponentState;

/// The name of the interface in the linker.
const INTERFACE: &str = "wasi:filesystem/types@0.2.12";

/// The most directories that an instance may be listing. The host holds all names of each.
const MAX_LISTINGS: usize = 4;

/// The most entries of a directory that can be listed. The names take up to 256 bytes each.
const MAX_ENTRIES: usize = 10_000;

/// The arguments of `open-at`.
type OpenAt = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);

/// What a function returns to the guest. The other errors are traps.
type Output<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;

/// Replaces functions in a linker that has the interface.
pub(in crate::sandbox) fn add_to_linker<T: ComponentState>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(INTERFACE)?;
    types.func_wrap_async("[method]descriptor.open-at", |store, arguments| Box::new(open_at(store, arguments)))?;
    types.func_wrap_async("[method]descriptor.read-directory", |store, (directory,)| {
        Box::new(read_directory(store, directory))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

async fn open_at<T: ComponentState>(
    mut store: StoreContextMut<'_, T>,
    (directory, path_flags, path, open_flags, flags): OpenAt,
) -> Output<Resource<Descriptor>> {
    let state = store.data_mut();
    let Descriptor::Dir(directory) = state.ctx().table.get(&directory)? else {
        return Ok((Err(ErrorCode::NotDirectory),));
    };
    if open_flags.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE) || flags.contains(DescriptorFlags::WRITE) {
        return Ok((Err(ErrorCode::NotPermitted),));
    }
    let directory = directory.dir.clone();
    let follow = path_flags.contains(PathFlags::SYMLINK_FOLLOW);
    let opening = spawn_blocking(move || {
        let file = open_beneath(&directory, &path, follow)?;
        let is_directory = file.metadata()?.is_dir();
        io::Result::Ok((file, is_directory))
    });
    // Fails only if the thread panics.
    let (file, is_directory) = match opening.await? {
        Ok(opened) => opened,
        Err(error) => return Ok((Err(error.into()),)),
    };
    let (descriptor, file) = if is_directory {
        let directory = Dir::new(file, FsPerms::ReadOnly, OpenMode::READ, false);
        (Descriptor::Dir(directory.clone()), directory.dir)
    } else if open_flags.contains(OpenFlags::DIRECTORY) {
        return Ok((Err(ErrorCode::NotDirectory),));
    } else {
        let file = File::new(file, FsPerms::ReadOnly, OpenMode::READ, false);
        (Descriptor::File(file.clone()), file.file)
    };
    let has_room = state.open_files().get_or_insert_with(|| OpenFiles::new(MAX_OPEN_FILES)).add(&file);
    let granted = state.grants().directory.as_ref().map(|directory| directory.open_files());
    if !has_room || !granted.is_some_and(|files| files.add(&file)) {
        return Ok((Err(ErrorCode::Quota),));
    }
    Ok((Ok(state.ctx().table.push(descriptor)?),))
}

async fn read_directory<T: ComponentState>(
    mut store: StoreContextMut<'_, T>,
    descriptor: Resource<Descriptor>,
) -> Output<Resource<ReaddirIterator>> {
    let state = store.data_mut();
    let listings = state.ctx().table.iter_mut().filter(|resource| resource.is::<ReaddirIterator>()).count();
    if listings >= MAX_LISTINGS {
        return Ok((Err(ErrorCode::Quota),));
    }
    let Descriptor::Dir(directory) = state.ctx().table.get(&descriptor)? else {
        return Ok((Err(ErrorCode::NotDirectory),));
    };
    let directory = directory.dir.clone();
    let counting = spawn_blocking(move || {
        let entries = rustix::fs::Dir::read_from(&directory)?;
        io::Result::Ok(entries.take(MAX_ENTRIES + 1).count())
    });
    match counting.await? {
        Ok(count) if count > MAX_ENTRIES => return Ok((Err(ErrorCode::Overflow),)),
        Ok(_) => {}
        Err(error) => return Ok((Err(error.into()),)),
    }
    match state.filesystem().read_directory(descriptor).await {
        Ok(entries) => Ok((Ok(entries),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}
