//! How much of what was written to a socket its peer has not acknowledged.
#![allow(unsafe_code, reason = "an ioctl that has no safe wrapper")]

use std::ffi::c_int;
use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{Getter, Opcode, ioctl};

/// `SIOCOUTQ` (tcp(7), unix(7)), by its number on the architectures that share asm-generic/ioctls.h: x86, Arm, RISC-V,
/// LoongArch, s390.
const SIOCOUTQ: Opcode = 0x5411;

/// How many bytes are in this socket's send queue: those that were not sent yet, and those that were and are not
/// acknowledged. Of a Unix socket, those that its peer has not read, with the kernel's overhead. Does not block.
///
/// # Errors
///
/// Fails if the socket is listening, or is no TCP or Unix socket.
pub fn send_queue(socket: &impl AsFd) -> io::Result<u64> {
    // SAFETY: this request writes one `int` to where its argument points and has no other effect on memory (tcp(7),
    // `SIOCOUTQ`), and that is what `Getter` passes for this output type. On any other kind of file the kernel either
    // refuses the request or takes it as `TIOCOUTQ`, whose argument is the same.
    let length = unsafe { ioctl(socket, Getter::<SIOCOUTQ, c_int>::new()) }?;
    Ok(u64::try_from(length).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn what_a_client_does_not_take_stays_in_the_queue() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut server = listener.accept().unwrap().0;
        assert_eq!(send_queue(&server).unwrap(), 0);
        server.set_nonblocking(true).unwrap();
        while server.write(&[0; 65536]).is_ok() {}
        assert!(send_queue(&server).unwrap() > 0);
        assert!(send_queue(&listener).is_err());
    }
}
