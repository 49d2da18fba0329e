//! The USB/IP protocol (Documentation/usb/usbip_protocol.rst in the kernel) over a socket pair to `vhci-hcd`.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

/// The length of all headers, in bytes.
const HEADER_LENGTH: usize = 48;

const CMD_SUBMIT: u32 = 1;
const CMD_UNLINK: u32 = 2;
const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;

/// The longest data accepted from the host in one transfer, in bytes: more than any control transfer of UVC.
const MAX_DATA_LENGTH: usize = 65_536;

/// The file that hands a device's socket to the driver.
const ATTACH_FILE: &str = "/sys/devices/platform/vhci_hcd.0/attach";

/// A command of the host's driver.
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
    /// Cancels the transfer with the sequence number `target`.
    Unlink { sequence: u32, target: u32 },
}

/// The connection of a device that is plugged in. Dropping it unplugs the device.
pub(super) struct Connection(pub(super) UnixStream);

impl Connection {
    /// Plugs a device into this port of the virtual host controller.
    pub(super) fn plug_in(port: u32) -> io::Result<Self> {
        /// `USB_SPEED_HIGH`
        const SPEED: u32 = 3;
        let (device_end, driver_end) = UnixStream::pair()?;
        let device_id = 0x1_0000 | (port + 2);
        std::fs::write(ATTACH_FILE, format!("{port} {} {device_id} {SPEED}", driver_end.as_raw_fd()))?;
        Ok(Self(device_end))
    }

    /// Reads the next command. Blocks until it arrives.
    pub(super) fn receive(&mut self) -> io::Result<Command> {
        let mut header = [0; HEADER_LENGTH];
        self.0.read_exact(&mut header)?;
        let word = |index: usize| {
            let at = index * 4;
            u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let sequence = word(1);
        if word(0) == CMD_UNLINK {
            return Ok(Command::Unlink { sequence, target: word(5) });
        }
        if word(0) != CMD_SUBMIT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let (is_input, length) = (word(3) != 0, word(6) as usize);
        let mut data = Vec::new();
        if !is_input {
            if length > MAX_DATA_LENGTH {
                return Err(io::ErrorKind::InvalidData.into());
            }
            data.resize(length, 0);
            self.0.read_exact(&mut data)?;
        }
        let mut setup = [0; 8];
        setup.copy_from_slice(&header[40..48]);
        Ok(Command::Submit { sequence, endpoint: word(4), is_input, length, setup, data })
    }

    /// Completes a transfer. `status` is 0 or a negative error number, `actual_length` the number of bytes transferred.
    pub(super) fn complete(&mut self, sequence: u32, status: i32, data: &[u8], actual_length: usize) -> io::Result<()> {
        self.reply(RET_SUBMIT, sequence, status, actual_length as u32, data)
    }

    /// Replies to an unlink.
    pub(super) fn complete_unlink(&mut self, sequence: u32, status: i32) -> io::Result<()> {
        self.reply(RET_UNLINK, sequence, status, 0, &[])
    }

    fn reply(&mut self, command: u32, sequence: u32, status: i32, actual_length: u32, data: &[u8]) -> io::Result<()> {
        let mut packet = Vec::with_capacity(HEADER_LENGTH + data.len());
        for word in [command, sequence, 0, 0, 0, status.cast_unsigned(), actual_length] {
            packet.extend(word.to_be_bytes());
        }
        packet.resize(HEADER_LENGTH, 0);
        packet.extend(data);
        self.0.write_all(&packet)
    }
}
