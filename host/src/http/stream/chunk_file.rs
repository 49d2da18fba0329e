//! A chunk in an anonymous file, from which the kernel sends it to many sockets without copying it.
//!
//! `writev` copies a part for each viewer. `sendfile` gives a socket references to the pages of a file instead, and the
//! kernel keeps the pages until the last viewer has acknowledged them. So each part gets a file of its own, which is
//! never written again: the pages are those that slow viewers are still sent.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use rustix::io::writev;
use rustix::process::{Resource, getrlimit};

use super::chunk::Chunk;
use super::write_half::WriteHalf;
use crate::process::memory_file::create_memory_file;

/// The number of viewers of a shard from which a file is cheaper than copying. To create and free a file costs as much as
/// a dozen copies: with 16 viewers it makes no difference, with 24 it saves a tenth at 30 kB and a third at 100 kB.
pub(super) const MIN_VIEWERS: usize = 24;

/// A chunk in an anonymous file.
pub(super) struct ChunkFile {
    chunk: Arc<Chunk>,
    file: File,
}

impl ChunkFile {
    /// Writes a chunk to a file if that pays for this number of viewers. Returns `None` if it does not, or if the kernel
    /// refuses, for example because a limit on open files or memory is reached: then the chunk is copied.
    pub(super) fn new(chunk: &Arc<Chunk>, viewers: usize) -> Option<Self> {
        if viewers < MIN_VIEWERS {
            return None;
        }
        // Beyond its limit on the size of files, the kernel would end the process (setrlimit(2), `RLIMIT_FSIZE`).
        if getrlimit(Resource::Fsize).current.is_some_and(|limit| limit < chunk.len() as u64) {
            return None;
        }
        let file = create_memory_file("hotshoe-part").ok()?;
        let written = writev(&file, &chunk.slices()).ok()?;
        (written == chunk.len()).then(|| Self { chunk: chunk.clone(), file })
    }

    /// Returns whether the file has this chunk.
    pub(super) fn has(&self, chunk: &Arc<Chunk>) -> bool {
        Arc::ptr_eq(&self.chunk, chunk)
    }

    /// Sends as much of the chunk as the sink accepts, after the first `sent` bytes. Returns the number of bytes sent.
    /// The sink must be one that [sends files](WriteHalf::sends_files).
    pub(super) fn try_send(&self, writer: &WriteHalf, sent: usize) -> io::Result<usize> {
        writer.try_send_file(self.file.as_fd(), sent, self.chunk.len().saturating_sub(sent))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpStream as StdStream;

    use bytes::Bytes;
    use tokio::net::TcpListener;

    use super::*;
    use crate::channels::Part;
    use crate::http::socket::Socket;

    #[tokio::test]
    async fn a_socket_is_sent_the_rest_of_a_chunk_from_its_file() {
        let part = Part::new("head ".into(), "image".into(), " tail".into());
        let chunk = Arc::new(Chunk::new(Arc::new(part)).unwrap());
        assert!(ChunkFile::new(&chunk, MIN_VIEWERS - 1).is_none());
        let file = ChunkFile::new(&chunk, MIN_VIEWERS).unwrap();
        assert!(file.has(&chunk));
        let same_bytes = Chunk::new(Arc::new(Part::new("head image tail".into(), Bytes::new(), Bytes::new()))).unwrap();
        assert!(!file.has(&Arc::new(same_bytes)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = Arc::new(Socket::from(listener.accept().await.unwrap().0));
        socket.writable().await;
        let writer = WriteHalf::new(socket.clone());
        assert_eq!(file.try_send(&writer, 7).unwrap(), chunk.len() - 7);
        drop(file);
        assert_eq!(socket.written(), chunk.len() as u64 - 7);
        socket.shut_down_write().unwrap();
        let mut received = String::new();
        client.read_to_string(&mut received).unwrap();
        assert_eq!(received, " image tail\r\n");
    }
}
