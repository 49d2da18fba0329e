//! Sending the rest of a response after its connection was taken out of hyper.
//!
//! While a write half is lent, hyper has nothing to do but to keep two buffers of [8 KiB](super::http1::BUFFER_SIZE)
//! and its state, which is more than everything else that a viewer occupies. So the task of the connection takes the
//! connection out of hyper, polls the body itself, and sends what the body returns once the write half is back.

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http::header::CONNECTION;
use http_body::Body;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::chunk::{CHUNK_END, size_line};

/// Sends the rest of a body in HTTP/1.1's chunked coding (RFC 9112, section 7.1), and the end of the response. The
/// connection must be between two chunks. Drops the body as soon as it ends.
///
/// # Errors
///
/// Fails if the body or the connection fails. The response is incomplete then.
pub async fn send_rest<B>(io: &mut (impl AsyncWrite + Unpin), mut body: B) -> io::Result<()>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
{
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context).map_err(io::Error::other)).await {
        // Bodies have no trailers here.
        let Ok(data) = frame?.into_data() else { continue };
        // An empty chunk would end the response.
        if data.has_remaining() {
            let size_line = Bytes::from(size_line(data.remaining()));
            io.write_all_buf(&mut size_line.chain(data).chain(CHUNK_END)).await?;
            // The body may take its time for the next frame.
            io.flush().await?;
        }
    }
    drop(body);
    io.write_all(b"0\r\n\r\n").await?;
    io.flush().await
}

/// Returns whether the client wants the connection closed after the response to a request with these headers (RFC 9112,
/// section 9.6).
pub fn asks_to_close(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|option| option.trim().eq_ignore_ascii_case("close"))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::task::{Context, Poll};

    use http::HeaderValue;
    use http_body::Frame;

    use super::*;

    struct Frames(VecDeque<io::Result<&'static str>>);

    impl Body for Frames {
        type Data = &'static [u8];
        type Error = io::Error;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<&'static [u8]>>>> {
            let next = self.0.pop_front();
            Poll::Ready(next.map(|frame| frame.map(|text| Frame::data(text.as_bytes()))))
        }
    }

    #[tokio::test]
    async fn the_rest_is_sent_in_chunks_and_the_response_ended_unless_the_body_fails() {
        let mut sent = Vec::new();
        send_rest(&mut sent, Frames([Ok("closing"), Ok(""), Ok("bytes of 16 byte")].into())).await.unwrap();
        assert_eq!(sent, b"7\r\nclosing\r\n10\r\nbytes of 16 byte\r\n0\r\n\r\n");
        sent.clear();
        let failing = Frames([Ok("a"), Err(io::ErrorKind::BrokenPipe.into())].into());
        send_rest(&mut sent, failing).await.unwrap_err();
        assert_eq!(sent, b"1\r\na\r\n");
    }

    #[test]
    fn the_option_close_is_found_in_any_list() {
        let headers = |values: &[&'static str]| {
            values.iter().map(|value| (CONNECTION, HeaderValue::from_static(value))).collect::<HeaderMap>()
        };
        assert!(asks_to_close(&headers(&["close"])));
        assert!(asks_to_close(&headers(&["keep-alive", "TE, Close"])));
        assert!(!asks_to_close(&headers(&["keep-alive, closed"])));
        assert!(!asks_to_close(&headers(&[])));
    }
}
