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
//! Everything else that the guest exports is exported unchanged. Everything that the parts import is imported once,
//! even if they import different compatible versions.

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

use super::compatibility::{is_handler, is_incoming_handler};

/// Composes components: the middleware, outermost first, and the guest last. The result is not validated, since it is
/// compiled next.
pub(super) fn compose(components: Vec<Vec<u8>>) -> wasmtime::Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    // What is behind the current component: its handler.
    let mut handler: Option<NodeId> = None;
    let mut outermost = String::new();
    for (index, component) in components.into_iter().enumerate().rev() {
        let package = Package::from_bytes(&format!("component-{index}"), None, component, graph.types_mut())
            .map_err(|error| wasmtime::Error::msg(format!("{error:#}")))?;
        let package = graph.register_package(package).map_err(describe)?;
        let instance = graph.instantiate(package);
        let exports = exports(&graph, package);
        outermost = exports.iter().find(|name| is_incoming_handler(name)).cloned().unwrap_or_default();
        match handler {
            Some(inner) => {
                let import = handler_import(&graph, package);
                graph.set_instantiation_argument(instance, &import, inner).map_err(describe)?;
            }
            None => {
                // Not another handler of the guest: requests would bypass the middleware.
                for name in exports.iter().filter(|name| !is_handler(name)) {
                    let export = graph.alias_instance_export(instance, name).map_err(describe)?;
                    graph.export(export, name).map_err(describe)?;
                }
            }
        }
        handler = Some(graph.alias_instance_export(instance, &outermost).map_err(describe)?);
    }
    if let Some(handler) = handler {
        graph.export(handler, outermost).map_err(describe)?;
    }
    let options = EncodeOptions { define_components: true, validate: false, processor: None };
    graph.encode(options).map_err(describe)
}

/// The names that a component exports.
fn exports(graph: &CompositionGraph, package: PackageId) -> Vec<String> {
    graph.types()[graph[package].ty()].exports.keys().cloned().collect()
}

/// The name under which a component imports the handler, or no name if it does not.
fn handler_import(graph: &CompositionGraph, package: PackageId) -> String {
    let imports = &graph.types()[graph[package].ty()].imports;
    imports.keys().find(|name| is_incoming_handler(name)).cloned().unwrap_or_default()
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
