//! One request in a shared instance.

use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{Request, Response};
use tokio::sync::oneshot;
use wasmtime::AsContextMut as _;
use wasmtime::component::{Access, Accessor, FutureReader, HasSelf, Resource};
use wasmtime_wasi_http::p3::Request as WasiRequest;
use wasmtime_wasi_http::p3::Response as WasiResponse;
use wasmtime_wasi_http::p3::bindings::Service;
use wasmtime_wasi_http::p3::bindings::http::types::{ErrorCode, HostResponseWithStore};
use wasmtime_wasi_http::{FieldMap, WasiBody, WasiHttp, WasiHttpView as _};

use super::mailbox::{Job, Reply};
use super::pipe::{GuestWriter, Output, Pipe, TrailersReader};
use crate::sandbox::call::error::CallError;
use crate::sandbox::imports::wasi_0_3::channel_stream::ChannelStream;
use crate::sandbox::imports::wasi_0_3::frames::ImageBytes;
use crate::sandbox::state::GuestState;

type GuestAccess<'a> = Access<'a, GuestState, HasSelf<GuestState>>;

/// The authority of a request: the host that it is for. `None` if that is malformed.
pub(in crate::sandbox) fn authority<B>(request: &Request<B>) -> Option<Authority> {
    let host = || request.headers().get(HOST)?.to_str().ok()?.parse().ok();
    request.uri().authority().cloned().or_else(host)
}

/// Lets the guest answer a request. Fails only if the guest has trapped, which ends the instance.
pub(super) async fn answer(accessor: &Accessor<GuestState>, service: &Service, job: Job) -> wasmtime::Result<()> {
    let Job { request, reply } = job;
    let request = accessor.with(|mut access| {
        let (request, _) = wasi_request(access.data_mut(), *request);
        access.data_mut().table.push(request)
    })?;
    let result = service.wasi_http_handler().call_handle(accessor, request).await?;
    let reply_with = match result {
        Ok(response) => accessor.with(|access| host_response(access, response))?,
        Err(code) => Reply::Failed(CallError::error_code(&code)),
    };
    // Fails if the client has gone. The guest's stream is closed then.
    if let Err(Reply::Response(response)) = reply.send(reply_with) {
        response.body().pipe.abandon();
    }
    Ok(())
}

/// Converts a request of a client. The future that is returned along with it reports errors, which
/// [`BodyMonitor`](crate::sandbox::call::request_body::BodyMonitor) does as well.
fn wasi_request(state: &mut GuestState, request: Request<WasiBody>) -> (WasiRequest, impl Future + use<>) {
    let authority = authority(&request);
    let (head, body) = request.into_parts();
    let scheme = head.extensions.get::<Scheme>().cloned().unwrap_or(Scheme::HTTP);
    let headers = FieldMap::new_immutable(state.http().hooks, head.headers);
    let path = head.uri.path_and_query().cloned();
    WasiRequest::new(head.method, Some(scheme), authority, path, headers, None, body)
}

/// Converts the response of a guest, and connects its body.
fn host_response(mut access: GuestAccess<'_>, response: Resource<WasiResponse>) -> wasmtime::Result<Reply> {
    let WasiResponse { status, headers, .. } = access.data_mut().table.get(&response)?;
    let mut head = Response::new(());
    *head.status_mut() = *status;
    *head.headers_mut() = headers.clone().into();
    let (transmitted, receiver) = oneshot::channel();
    let result = async { Ok::<_, wasmtime::Error>(receiver.await.unwrap_or(Err(ErrorCode::ConnectionTerminated))) };
    let result = FutureReader::new(&mut access, result)?;
    let body = Access::<_, WasiHttp>::new(access.as_context_mut(), GuestState::http);
    let (contents, mut trailers) =
        <WasiHttp as HostResponseWithStore<GuestState>>::consume_body(body, response, result)?;
    // Neither the parts of a channel nor the bytes of an image pass through the guest.
    let contents = match contents.try_into::<ChannelStream>(&mut access) {
        Ok(stream) => {
            trailers.close(&mut access)?;
            // Fails if the guest does not want to know.
            let _ = transmitted.send(Ok(()));
            return Ok(Reply::Channel(head.map(|()| stream.into_subscription())));
        }
        Err(contents) => contents,
    };
    let pipe = Pipe::new();
    match contents.try_into::<ImageBytes>(&mut access) {
        Ok(ImageBytes(image)) => pipe.fill(image),
        Err(contents) => contents.pipe(&mut access, GuestWriter::new(pipe.clone()))?,
    }
    trailers.pipe(&mut access, TrailersReader::new(pipe.clone()))?;
    Ok(Reply::Response(head.map(|()| Output { pipe, transmitted })))
}
