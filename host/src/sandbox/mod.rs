//! The sandbox: loads guests, and drivers and filters of cameras, which are WebAssembly components, and runs
//! them within limits.
//!
//! ```text
//! file ── Candidate ── load_guest ──► LoadedGuest ── Invoker::handle(request) ──► Response<ResponseBody>
//!                                                        │ runs in an instance with its own Store<GuestState>
//! ```
//!
//! * `engine`: the wasmtime engine and its instance pool; `epoch_ticker`: interrupts guests that compute for too long.
//! * `load`: from a file to a [`LoadedGuest`]: checks, compiler process, compile cache, linker.
//! * `call`: from a request to a response: the [`Invoker`], running calls, request and response bodies, idle instances.
//! * `driver`: running drivers of cameras; `filter`: running filters of cameras.
//! * `shared`: instances that answer several requests at the same time, for guests of WASI 0.3.
//! * `store`: creates a store for an instance; `state`: the store's data; `limits`: its limits; `usage`: what
//!   instances use; `clock` and `http_hooks`: how it sees WASI clocks and HTTP.
//! * `grants`: what the operator lets guests use besides cameras.
//! * `author`: whose lines the log contains.
//! * `pixels`: decodes and encodes pictures for instances, in threads of its own.
//! * `lifecycle`: the generation that an instance belongs to.
//! * `imports`: the host side of the WIT interfaces.
//! * `wasmtime_error`: classifies and formats errors of wasmtime; `limited_text`: limits texts that components choose;
//!   `interface_version`: compares versions of WIT interfaces.
//!
//! [`crate::swap`] decides which guest serves.

mod author;
mod call;
mod clock;
mod driver;
mod engine;
mod epoch_ticker;
mod filter;
mod grants;
mod http_hooks;
mod imports;
mod interface_version;
mod lifecycle;
mod limited_text;
mod limits;
mod load;
mod pixels;
mod shared;
mod state;
mod store;
mod usage;
mod wasmtime_error;

pub use call::error::{COMPUTE_LIMIT, CallError, Party, ResponseAborted};
pub use call::exports::WorkerExport;
pub use call::guest_body::GuestBody;
pub use call::idle_instances::MAX_IDLE_INSTANCES;
pub use call::instances::Instances;
pub use call::invoker::{Invoker, WorkEnd};
pub use call::request_body::{BodyError, BodyLimits, RequestBody};
pub use call::response_body::ResponseBody;
pub use driver::error::DriverError;
pub use driver::run::{DriverRun, DriverSettings};
pub use engine::{Sandbox, SandboxError};
pub use filter::error::FilterError;
pub use filter::run::{FilterRun, FilterSettings};
pub use grants::{
    Configuration, ConfigurationError, Destination, Directory, DirectoryError, Grants, MAX_INSTANCE_REQUESTS,
    MAX_OPEN_FILES, MAX_OUTGOING_REQUESTS, Outgoing, State, StoreError,
};
pub use lifecycle::{Lifecycle, Phase};
pub use load::cache_folder::CacheError;
pub use load::camera_component::{CameraComponent, Identity};
pub use load::candidate::{Candidate, Composition, MiddlewareFile};
pub use load::compile_cache::CompileCache;
pub use load::compiler::{Cancellation, CompileError, CompileGuard, Priority};
pub use load::compiler_process;
pub use load::description::describe_imports;
pub use load::driver::LoadedDriver;
pub use load::error::{COMPONENT_LIMIT, LoadError};
pub use load::filter::LoadedFilter;
pub use load::loader::{LoadedGuest, load_guest};
pub use load::middleware::Middleware;
pub use load::origin::Origin;
pub use usage::UsageReport;
