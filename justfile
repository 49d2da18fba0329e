# `cargo run` and `cargo test` need none of this: it is for those who change the guest, and for CI.

# What there is
default:
    @just --list

# Serve, built as for release
run *ARGS:
    cargo run --release -- {{ARGS}}

# Build the guest, and the copy of it that is embedded where its target is not installed
guest:
    cargo build
    target/debug/hotshoe guest save guest/prebuilt.wasm

# Everything that a contributor checks
check: lint test doc

# Format and lints
lint:
    cargo fmt --check
    cargo clippy --workspace --all-targets -- -D warnings

# All tests that this machine can run
test:
    cargo test

# The documentation, with its warnings
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --workspace
