//! Sending streams, and everything else that relies on how hyper reads and writes.
//!
//! hyper owns a connection and sends all of its bytes from the connection's task. When the same part goes to many
//! viewers, waking a task for each costs more than sending. So the body of a viewer's response takes the write half out
//! of the connection and lends it to a [fan-out](fan_out): one task for each processor, which writes each part to the
//! sockets of all its viewers.
//!
//! * [`write_half`]: the write half of a connection, and the trait of what it writes to.
//! * [`connection`]: hyper's view of a connection, whose write half can be taken out and put back.
//! * [`http1`]: hyper's settings.
//! * [`http1_io`]: better errors than hyper's, and bytes that are given back.
//! * `chunk`: a part in HTTP/1.1's chunked coding.
//! * `chunk_file`: a chunk in a file, for `sendfile`.
//! * [`viewer_body`]: the body of a viewer's response.
//! * [`without_hyper`]: the rest of a response whose connection was taken out of hyper; [`shared_body`]: its body.
//! * [`fan_out`]: the viewers of one channel; `shard`: the task that sends to some of them; `shard_queue`: its events;
//!   `members`: its connections and their turns; `lent_writer`: one viewer's write half; `part_sender`: one viewer's
//!   progress.
//!
//! # What this module relies on
//!
//! hyper documents none of the following, so its minor version is pinned in `Cargo.toml`, and `hyper_contract` tests
//! each point with real hyper:
//!
//! 1. hyper flushes a connection only when it has written everything that it holds.
//! 2. Once it has flushed a frame of the body, it writes nothing until the body returns more or ends. In particular, it
//!    writes nothing while the body is pending, whatever the client sends.
//! 3. After it has flushed a frame, it polls the body again without waiting.
//! 4. It sends a body of unknown length as chunks, and each frame as one whole chunk.
//! 5. When the body ends, it writes the last chunk and keeps the connection for the next request.
//! 6. It writes its own error responses as one slice with known headers.
//! 7. A connection that is taken out of it while the body is pending has nothing left to write, and comes with all bytes
//!    that were read but not used.
//!
//! Points 1, 2 and 4 make sure that hyper's bytes and the fan-out's never interleave, see [`connection`]. Point 3 gives
//! the body the opportunity to lend. Point 7 lets the connection's task send the rest of the response
//! ([`without_hyper`]); if the request has a body, hyper stays, and point 5 ends the response when the write half is
//! back. [`http1_io`] relies on point 6.

mod chunk;
mod chunk_file;
pub mod connection;
pub mod fan_out;
pub mod http1;
pub mod http1_io;
#[cfg(test)]
mod hyper_contract;
mod lent_writer;
mod members;
mod part_sender;
mod shard;
mod shard_queue;
pub mod shared_body;
pub mod viewer_body;
pub mod without_hyper;
pub mod write_half;

pub use connection::{Connection, SharedWriter};
pub use fan_out::FanOuts;
pub use http1_io::Http1Io;
pub use shared_body::{HyperBody, SharedBody};
pub use viewer_body::ViewerBody;
