//! Settings of `wasi:http`.

use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::grants::InstanceRequests;

/// How many writes to a response body are buffered before the guest must wait; `wasmtime_wasi_http` adds one. Three
/// writes make up a part (head, image and tail), so a part can be sent as a whole.
const BUFFERED_WRITES: usize = 3;

/// The most bytes in one write to a body. Most pictures of cameras fit, so that they take one write.
const LARGE_WRITE: usize = 1 << 20;

/// How many bodies allow large writes. The host keeps what was written as long as the guest holds the response or the
/// request, and up to [`BUFFERED_WRITES`] + 1 writes of each: 32 MiB for all of them. A request needs one body for its
/// response, and an instance sends eight requests at the same time.
const LARGE_BODIES: usize = 8;

/// The most bytes in one write to any other body, so that the bodies of all resources that a guest may hold have 16 MiB
/// together. At least 4 KiB, which `blocking-write-and-flush` writes without asking.
const SMALL_WRITE: usize = 16 << 10;

/// The settings for one instance.
pub(super) struct HttpHooks {
    /// The requests that the instance sends.
    pub(super) requests: InstanceRequests,
    /// How many bodies of requests and responses the guest has created for the current request (WASI 0.2). Which of
    /// them still exist is unknown.
    bodies: usize,
}

impl HttpHooks {
    pub(super) fn new(requests: InstanceRequests) -> Self {
        Self { requests, bodies: 0 }
    }

    /// Prepares the settings for another request. The guest must hold no body.
    pub(super) fn reset(&mut self) {
        self.bodies = 0;
    }
}

impl WasiHttpHooks for HttpHooks {
    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        BUFFERED_WRITES
    }

    // wasmtime-wasi-http asks once for each body.
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        self.bodies = self.bodies.saturating_add(1);
        if self.bodies <= LARGE_BODIES { LARGE_WRITE } else { SMALL_WRITE }
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
