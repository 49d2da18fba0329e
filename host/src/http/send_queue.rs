//! The length of a socket's send queue: the bytes that its peer has not acknowledged.
#![allow(unsafe_code, reason = "this ioctl has no safe wrapper")]

use std::ffi::c_int;
use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{Getter, Opcode, ioctl};

/// `SIOCOUTQ` (tcp(7), unix(7)). This is its number on architectures that use asm-generic/ioctls.h: x86, Arm, RISC-V,
/// LoongArch, s390.
const SIOCOUTQ: Opcode = 0x5411;

/// Returns the bytes in a TCP socket's send queue: those not sent yet, and those sent but not acknowledged. For a Unix
/// socket, returns the bytes that its peer has not read, including the kernel's overhead. Does not block.
///
/// # Errors
///
/// Fails if the socket is listening, or is neither a TCP nor a Unix socket.
pub fn send_queue(socket: &impl AsFd) -> io::Result<u64> {
    // SAFETY: this request writes one `int` to the address in its argument and has no other effect on memory (tcp(7),
    // `SIOCOUTQ`). `Getter` passes the address of a value of its output type, which is `c_int`. For other kinds of
    // files the kernel rejects the request or handles it as `TIOCOUTQ`, whose argument is the same.
    let length = unsafe { ioctl(socket, Getter::<SIOCOUTQ, c_int>::new()) }?;
    Ok(u64::try_from(length).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn unread_bytes_stay_in_the_queue() {
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
