//! The host side of both drafts of `wasi:keyvalue`, generated from `wit/deps/`.

#![allow(missing_docs, reason = "generated; the interfaces are documented at github.com/WebAssembly/wasi-keyvalue")]

pub mod draft {
    wasmtime::component::bindgen!({
        path: "../wit/deps/keyvalue-draft.wit",
        imports: { default: async | trappable },
        with: { "wasi:keyvalue/store.bucket": crate::sandbox::grants::Bucket },
        require_store_data_send: true,
    });
}

pub mod draft2 {
    wasmtime::component::bindgen!({
        path: "../wit/deps/keyvalue-draft2.wit",
        imports: { default: async | trappable },
        with: {
            "wasi:keyvalue/store.bucket": crate::sandbox::grants::Bucket,
            "wasi:keyvalue/atomics.cas": crate::sandbox::grants::HeldCas,
        },
        require_store_data_send: true,
    });
}
