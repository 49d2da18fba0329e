//! Settings of `wasi:http`.

use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::grants::InstanceRequests;

/// How many writes to a response body are buffered before the guest must wait; `wasmtime_wasi_http` adds one. Three
/// writes make up a part (head, image and tail), so a part can be sent as a whole.
const BUFFERED_WRITES: usize = 3;

/// The settings for one instance.
pub(super) struct HttpHooks {
    /// The requests that the instance sends.
    pub(super) requests: InstanceRequests,
}

impl WasiHttpHooks for HttpHooks {
    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        BUFFERED_WRITES
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = SendResult> + Send> {
        let exchange = self.requests.send(request, options);
        Box::new(async move {
            let (response, task) = exchange?.await?;
            let finished: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(async move {
                task.await;
                Ok(())
            });
            Ok((response, finished))
        })
    }
}

/// The output of [`WasiHttpHooks::send_request`].
type SendResult = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;
