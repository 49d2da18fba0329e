//! The USB/IP protocol (the kernel's Documentation/usb/usbip_protocol.rst) over a socket pair to `vhci-hcd`.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

const HEADER: usize = 48;

const SUBMIT: u32 = 1;
const UNLINK: u32 = 2;
const RETURN_SUBMIT: u32 = 3;
const RETURN_UNLINK: u32 = 4;

/// The most data that the host may send with a request.
const MAX_DATA: usize = 65_536;

/// Where the driver takes a connection to a device.
const ATTACH: &str = "/sys/devices/platform/vhci_hcd.0/attach";

/// What the host's driver wants.
pub(super) enum Command {
    /// A transfer from or to an endpoint.
    Submit {
        sequence: u32,
        endpoint: u32,
        /// Whether the data goes to the host.
        is_input: bool,
        length: usize,
        setup: [u8; 8],
        data: Vec<u8>,
    },
    /// The transfer with the second number is not wanted any more.
    Unlink { sequence: u32, target: u32 },
}

/// A device that is plugged in.
pub(super) struct Connection(pub(super) UnixStream);

impl Connection {
    /// Plugs a device into this port of the virtual host controller.
    pub(super) fn plug_in(port: u32) -> io::Result<Self> {
        /// High speed (`usb_device_speed`).
        const SPEED: u32 = 3;
        let (ours, theirs) = UnixStream::pair()?;
        let device = 0x1_0000 | (port + 2);
        std::fs::write(ATTACH, format!("{port} {} {device} {SPEED}", theirs.as_raw_fd()))?;
        Ok(Self(ours))
    }

    /// Reads the next command, and waits for it.
    pub(super) fn receive(&mut self) -> io::Result<Command> {
        let mut header = [0; HEADER];
        self.0.read_exact(&mut header)?;
        let word = |index: usize| {
            let at = index * 4;
            u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let sequence = word(1);
        if word(0) == UNLINK {
            return Ok(Command::Unlink { sequence, target: word(5) });
        }
        if word(0) != SUBMIT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let (is_input, length) = (word(3) != 0, word(6) as usize);
        let mut data = Vec::new();
        if !is_input {
            if length > MAX_DATA {
                return Err(io::ErrorKind::InvalidData.into());
            }
            data.resize(length, 0);
            self.0.read_exact(&mut data)?;
        }
        let mut setup = [0; 8];
        setup.copy_from_slice(&header[40..48]);
        Ok(Command::Submit { sequence, endpoint: word(4), is_input, length, setup, data })
    }

    /// Ends a transfer. `actual` is the number of bytes that it moved; `status` is 0 or a negative error number.
    pub(super) fn complete(&mut self, sequence: u32, status: i32, data: &[u8], actual: usize) -> io::Result<()> {
        self.reply(RETURN_SUBMIT, sequence, status, actual as u32, data)
    }

    /// Answers an unlink.
    pub(super) fn unlinked(&mut self, sequence: u32, status: i32) -> io::Result<()> {
        self.reply(RETURN_UNLINK, sequence, status, 0, &[])
    }

    fn reply(&mut self, command: u32, sequence: u32, status: i32, actual: u32, data: &[u8]) -> io::Result<()> {
        let mut packet = Vec::with_capacity(HEADER + data.len());
        for word in [command, sequence, 0, 0, 0, status.cast_unsigned(), actual] {
            packet.extend(word.to_be_bytes());
        }
        packet.resize(HEADER, 0);
        packet.extend(data);
        self.0.write_all(&packet)
    }
}
