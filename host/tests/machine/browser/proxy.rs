//! A reverse proxy that serves a server below a path, like nginx with `location /path/ { proxy_pass http://server/; }`.

use std::io::{BufRead, BufReader, Write, copy};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// A proxy at a free port of 127.0.0.1. It runs until the test program exits.
pub struct Proxy {
    pub address: SocketAddr,
}

impl Proxy {
    /// Forwards requests below `path` to `server`, without the path.
    pub fn start(path: &'static str, server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // The thread exits when one side closes the connection.
                thread::spawn(move || forward(client, path, server));
            }
        });
        Self { address }
    }
}

/// Forwards one request and its response.
fn forward(mut client: TcpStream, path: &str, server: SocketAddr) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut upstream = TcpStream::connect(server)?;
    match line.split_once(&format!(" {path}/")) {
        Some((method, rest)) => write!(upstream, "{method} /{rest}Connection: close\r\n")?,
        None => return client.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    }
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        if !line.to_ascii_lowercase().starts_with("connection:") {
            upstream.write_all(line.as_bytes())?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    copy(&mut upstream, &mut client).map(drop)
}
