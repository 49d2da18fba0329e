//! A web page for a browser. `about:blank` may not load anything from servers on this machine.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread::spawn;
use std::time::Duration;

/// Serves one page at every path until the program exits.
pub(super) fn serve(page: String) -> Result<SocketAddr, String> {
    let cannot = |error: std::io::Error| format!("cannot serve a page to the browser: {error}");
    let listener = TcpListener::bind("127.0.0.1:0").map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // Browsers open connections in advance and may never use them.
            let response = response.clone();
            spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
                if stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(response.as_bytes());
                }
            });
        }
    });
    Ok(address)
}
