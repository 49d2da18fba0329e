//! Unix socket listeners.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use super::tcp::BACKLOG;

/// Who may connect to a Unix socket: connecting needs write permission on its file (unix(7)).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SocketAccess {
    /// The owner only.
    Owner,
    /// The owner and the group. The file's group is that of the process, or of the directory if that has the
    /// set-group-ID bit.
    Group,
}

impl SocketAccess {
    fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group => 0o660,
        }
    }
}

/// A listening Unix socket. Dropping it removes the socket's file, unless another process has created it.
pub(super) struct UnixSocketListener {
    listener: UnixListener,
    path: PathBuf,
    /// Identifies the file this listener created. `None` if it could not be examined, or if systemd created it.
    file_id: Option<FileId>,
}

impl UnixSocketListener {
    /// Listens at `path`. Replaces a socket that no process listens at. Must be called within a Tokio runtime.
    pub(super) fn bind(path: &Path, access: SocketAccess) -> io::Result<Self> {
        let listener = bind(path, access)?;
        Ok(Self { listener, path: path.to_owned(), file_id: FileId::of(path) })
    }

    /// Adopts a listening socket that was opened by another process. Must be called within a Tokio runtime.
    pub(super) fn adopt(listener: StdUnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let path = address.as_pathname().unwrap_or(Path::new("(no path)")).to_owned();
        Ok(Self { listener: UnixListener::from_std(listener)?, path, file_id: None })
    }

    /// Returns the path of the socket's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        self.listener.poll_accept(context).map_ok(|(stream, _)| stream)
    }
}

impl Drop for UnixSocketListener {
    fn drop(&mut self) {
        // Another server may have replaced the file since.
        if self.file_id.is_some() && FileId::of(&self.path) == self.file_id {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A file's device and inode numbers.
#[derive(Clone, Copy, Eq, PartialEq)]
struct FileId(u64, u64);

impl FileId {
    fn of(path: &Path) -> Option<Self> {
        fs::symlink_metadata(path).ok().map(|metadata| Self(metadata.dev(), metadata.ino()))
    }
}

fn bind(path: &Path, access: SocketAccess) -> io::Result<UnixListener> {
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let address = SockAddr::unix(path)?;
        let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // A server that does not accept connections does not keep this one from starting.
        probe.set_nonblocking(true)?;
        match probe.connect(&address) {
            // A killed server left it behind (unix(7)).
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            // The queue of its server is full.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::AddrInUse.into()),
            Ok(()) => return Err(io::ErrorKind::AddrInUse.into()),
            // It belongs to somebody else, or is no socket for streams.
            Err(error) => return Err(error),
        }
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Before `listen`, so that nobody else can connect in between.
    fs::set_permissions(path, fs::Permissions::from_mode(access.mode()))?;
    socket.listen(BACKLOG)?;
    UnixListener::from_std(socket.into())
}
