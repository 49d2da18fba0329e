//! Middleware of WASI 0.3 for tests. It logs the status of each response, and forbids `/forbidden`.

use exports::wasi::http::handler::Guest;
use wasi::http::handler;
use wasi::http::types::{ErrorCode, Fields, Request, Response};

wit_bindgen::generate!({ world: "test:wasi03/middleware", path: "wit", generate_all });

struct Component;

export!(Component);

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        if path == "/forbidden" {
            let (_, trailers) = wit_future::new(|| Ok(None));
            let (response, _) = Response::new(Fields::new(), None, trailers);
            response.set_status_code(403).unwrap();
            return Ok(response);
        }
        let response = handler::handle(request).await?;
        println!("middleware: {path} {}", response.get_status_code());
        Ok(response)
    }
}
