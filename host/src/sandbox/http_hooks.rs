//! Settings of `wasi:http`.

use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// How many writes to a response body are buffered before the guest must wait; `wasmtime_wasi_http` adds one. Three
/// writes make up a part (head, image and tail), so a part can be sent as a whole.
const BUFFERED_WRITES: usize = 3;

pub(super) struct HttpHooks;

impl WasiHttpHooks for HttpHooks {
    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        BUFFERED_WRITES
    }

    /// Denies the request: guests cannot send HTTP requests.
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = SendResult> + Send> {
        Box::new(std::future::ready(Err(Error::HttpRequestDenied)))
    }
}

/// The output of [`WasiHttpHooks::send_request`].
type SendResult = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;
