//! A page of ours for a browser: what is on `about:blank` may not look at this machine's other servers.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread::spawn;
use std::time::Duration;

/// Serves one page at every path, until the program ends.
pub(super) fn serve(page: String) -> Result<SocketAddr, String> {
    let cannot = |error: std::io::Error| format!("no page for the browser: {error}");
    let listener = TcpListener::bind("127.0.0.1:0").map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A browser opens connections in advance, on which it may ask nothing.
            let answer = answer.clone();
            spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
                if stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(answer.as_bytes());
                }
            });
        }
    });
    Ok(address)
}
