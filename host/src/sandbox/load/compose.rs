//! Composes a guest and its middleware to one component. Runs in the compiler process (`compiler_process.rs`), because
//! the work grows with the types of untrusted components.
//!
//! ```text
//! exported: handler        exported: all else, such as the publisher
//!      ▲                          ▲
//!  middleware ── handler ──► … ──► guest
//!      └── other imports ──┬──┘
//!                          ▼
//!                  imported, merged
//! ```
//!
//! The requests pass through the middleware, so the composed component exports the handler of the outermost middleware.
//! Everything else that the guest exports is exported unchanged. Middleware without a handler is not in the chain. The
//! workers of middleware are exported beside that of the guest. Everything that the parts import is imported once, even
//! if they import different compatible versions.

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

use super::compatibility::{handler, is_handler_of_any_version, passed_handler};
use crate::sandbox::call::exports::{is_worker, worker_of_middleware};

/// Composes components: the middleware, outermost first, and the guest last. The result is not validated, since it is
/// compiled next.
pub(super) fn compose(components: Vec<Vec<u8>>) -> wasmtime::Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let mut packages = Vec::new();
    for (index, component) in components.into_iter().enumerate() {
        let package = Package::from_bytes(&format!("component-{index}"), None, component, graph.types_mut())
            .map_err(|error| wasmtime::Error::msg(format!("{error:#}")))?;
        packages.push(graph.register_package(package).map_err(describe)?);
    }
    // The handler of WASI 0.2 or 0.3: the same for all parts.
    let version = packages.iter().find_map(|package| {
        let world = &graph.types()[graph[*package].ty()];
        passed_handler(world.imports.keys().map(String::as_str), world.exports.keys().map(String::as_str))
    });
    // Without middleware that has a handler, every handler of the guest remains.
    let is_in_chain = |name: &String| version.is_some() && handler(name) == version;
    // What is behind the current component: its handler.
    let mut inner: Option<(NodeId, String)> = None;
    let guest = packages.len().saturating_sub(1);
    for (index, package) in packages.into_iter().enumerate().rev() {
        let instance = graph.instantiate(package);
        let exports = exports(&graph, package);
        let export = |graph: &mut CompositionGraph, name: &str, exported: &str| {
            let export = graph.alias_instance_export(instance, name).map_err(describe)?;
            graph.export(export, exported).map_err(describe)
        };
        if index == guest {
            // Not another handler of the guest: requests would bypass the middleware.
            for name in exports.iter().filter(|name| version.is_none() || !is_handler_of_any_version(name)) {
                export(&mut graph, name, name)?;
            }
        } else if let Some(worker) = exports.iter().find(|name| is_worker(name)) {
            export(&mut graph, worker, &worker_of_middleware(index))?;
        }
        let Some(name) = exports.into_iter().find(is_in_chain) else { continue };
        if let Some((inner, _)) = inner {
            let import = imports(&graph, package).into_iter().find(is_in_chain).unwrap_or_default();
            graph.set_instantiation_argument(instance, &import, inner).map_err(describe)?;
        }
        inner = Some((graph.alias_instance_export(instance, &name).map_err(describe)?, name));
    }
    if let Some((handler, name)) = inner {
        graph.export(handler, name).map_err(describe)?;
    }
    let options = EncodeOptions { define_components: true, validate: false, processor: None };
    graph.encode(options).map_err(describe)
}

/// The names that a component exports.
fn exports(graph: &CompositionGraph, package: PackageId) -> Vec<String> {
    graph.types()[graph[package].ty()].exports.keys().cloned().collect()
}

/// The names that a component imports.
fn imports(graph: &CompositionGraph, package: PackageId) -> Vec<String> {
    graph.types()[graph[package].ty()].imports.keys().cloned().collect()
}

/// Converts an error with all its causes.
fn describe(error: impl std::error::Error) -> wasmtime::Error {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    wasmtime::Error::msg(text)
}

#[cfg(test)]
mod tests {
    use super::super::interfaces::Interfaces;
    use super::*;

    /// wasmtime would have called the handler with build metadata, past the middleware.
    #[test]
    fn no_handler_of_the_guest_is_exported_beside_that_of_the_middleware() {
        let middleware = r#"(component
            (import "wasi:http/incoming-handler@0.2.11" (instance $next (export "handle" (func))))
            (export "wasi:http/incoming-handler@0.2.11" (instance $next)))"#;
        let guest = r#"(component
            (core module $module (func (export "handle")))
            (core instance $core (instantiate $module))
            (func $handle (canon lift (core func $core "handle")))
            (instance $instance (export "handle" (func $handle)))
            (export "wasi:http/incoming-handler@0.2.12" (instance $instance))
            (export "wasi:http/incoming-handler@0.2.99+x" (instance $instance))
            (export "wasi:http/incoming-handler@0.4.0" (instance $instance))
            (export "wasi:http/handler@0.3.0+x" (instance $instance))
            (export "test:guest/other@1.0.0" (instance $instance)))"#;
        let parts = [middleware, guest].map(|text| wat::parse_str(text).unwrap());
        let composed = compose(parts.into()).unwrap();
        let mut exports: Vec<_> = Interfaces::parse(&composed).unwrap().exports.into_iter().collect();
        exports.sort();
        assert_eq!(exports, ["test:guest/other@1.0.0", "wasi:http/incoming-handler@0.2.11"]);
    }
}
