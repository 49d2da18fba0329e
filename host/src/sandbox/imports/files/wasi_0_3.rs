//! The functions for WASI 0.3.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::fs::FileType;
use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, Destination, FutureReader, Linker, Resource, StreamProducer, StreamReader, StreamResult, VecBuffer,
};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p3::bindings::filesystem::types::{
    DescriptorFlags, DescriptorType, DirectoryEntry, ErrorCode, OpenFlags, PathFlags,
};

use super::access::{self, Failure, OpenRequest};
use crate::sandbox::state::GuestState;

/// The name of the interface in the linker.
const INTERFACE: &str = "wasi:filesystem/types@0.3.0";

/// The arguments of `open-at`.
type OpenAt = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);

/// The results of `read-directory`.
type Listing = (StreamReader<DirectoryEntry>, FutureReader<Result<(), ErrorCode>>);

/// Lists a directory.
type ListFuture = Pin<Box<dyn Future<Output = Result<Vec<DirectoryEntry>, Failure>> + Send>>;

pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    let mut types = linker.instance(INTERFACE)?;
    types.func_wrap_concurrent("[method]descriptor.open-at", |accessor, arguments| {
        Box::pin(open_at(accessor, arguments))
    })?;
    types.func_wrap("[method]descriptor.read-directory", read_directory)
}

async fn open_at(
    accessor: &Accessor<GuestState>,
    (directory, path_flags, path, open_flags, flags): OpenAt,
) -> wasmtime::Result<(Result<Resource<Descriptor>, ErrorCode>,)> {
    let request = OpenRequest {
        path,
        follow_symlink: path_flags.contains(PathFlags::SYMLINK_FOLLOW),
        directory_only: open_flags.contains(OpenFlags::DIRECTORY),
        writes: open_flags.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
            || flags.contains(DescriptorFlags::WRITE),
    };
    let reserved = accessor.with(|mut access| {
        let state = access.get();
        let directory = access::directory(&state.table, &directory)?;
        wasmtime::error::Ok(directory.and_then(|directory| Ok((directory, access::reserve(state)?))))
    })?;
    let opened = match reserved {
        Ok((directory, places)) => access::open(directory, request, places).await,
        Err(failure) => Err(failure),
    };
    let given = match opened {
        Ok(opened) => accessor.with(|mut access| access::give(access.get(), opened))?,
        Err(failure) => Err(failure),
    };
    Ok((given.map_err(ErrorCode::from),))
}

fn read_directory(
    mut store: StoreContextMut<'_, GuestState>,
    (descriptor,): (Resource<Descriptor>,),
) -> wasmtime::Result<(Listing,)> {
    let state = store.data_mut();
    let directory =
        if access::may_list(state) { access::directory(&state.table, &descriptor)? } else { Err(Failure::Quota) };
    // One count for the stream and for the thread that reads the directory, which a guest cannot cancel.
    let count = Arc::new(Counted { _count: state.listings.clone() });
    let running = count.clone();
    let entries = async {
        let entries = access::list(directory?, running).await?;
        Ok(entries.into_iter().map(directory_entry).collect())
    };
    let (result, receiver) = oneshot::channel();
    let entries = Entries { future: Some(Box::pin(entries)), result: Some(result), _count: count };
    let stream = StreamReader::new(&mut store, entries)?;
    // The sender is dropped if the guest drops the stream before it is read.
    let result = async move { wasmtime::error::Ok(receiver.await.unwrap_or(Ok(()))) };
    let result = FutureReader::new(&mut store, result)?;
    Ok(((stream, result),))
}

/// The entries of a directory, which is read when the guest begins to read the stream.
struct Entries {
    /// `None` after the directory was read.
    future: Option<ListFuture>,
    result: Option<oneshot::Sender<Result<(), ErrorCode>>>,
    /// Counts the listing.
    _count: Arc<Counted>,
}

/// Counts a listing among those of the instance, once however many own it.
struct Counted {
    _count: Arc<()>,
}

impl<D> StreamProducer<D> for Entries {
    type Item = DirectoryEntry;
    type Buffer = VecBuffer<DirectoryEntry>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, DirectoryEntry, VecBuffer<DirectoryEntry>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let Some(future) = &mut self.future else { return Poll::Ready(Ok(StreamResult::Dropped)) };
        // The guest only waits until there is something to read.
        if destination.remaining(&mut store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let listed = match future.as_mut().poll(context) {
            Poll::Ready(listed) => listed,
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
        };
        self.future = None;
        let (entries, result) = match listed {
            Ok(entries) => (entries, Ok(())),
            Err(failure) => (Vec::new(), Err(failure.into())),
        };
        if let Some(sender) = self.result.take() {
            // Fails if the guest does not want to know.
            let _ = sender.send(result);
        }
        if entries.is_empty() {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        destination.set_buffer(entries.into());
        // This is called again when the guest has read them all. The listing counts until then.
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

fn directory_entry((kind, name): (FileType, String)) -> DirectoryEntry {
    let type_ = match kind {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::Fifo => DescriptorType::Fifo,
        FileType::Socket => DescriptorType::Socket,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::Unknown => DescriptorType::Other(None),
    };
    DirectoryEntry { type_, name }
}

impl From<Failure> for ErrorCode {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Quota => Self::Quota,
            Failure::System(error) => error.into(),
        }
    }
}
