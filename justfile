# `cargo run` and `cargo test` need none of this: it is for those who change the guest, and for CI.

# What there is
default:
    @just --list

# Serve, built as for release
run *ARGS:
    cargo run --release -- {{ARGS}}

# Serve the guest in this tree, and build it again whenever one of its files is saved
dev *ARGS:
    cargo build --bin hotshoe
    HOTSHOE={{justfile_directory()}}/target/debug/hotshoe guest/dev {{ARGS}}

# Make a folder with a guest of your own, to start from
new-guest DIR:
    cd "{{invocation_directory()}}" && cargo run --quiet --manifest-path "{{justfile_directory()}}/Cargo.toml" -- guest new "{{DIR}}"

# Build the guest, and the copy of it that is embedded where its target is not installed
guest:
    cargo build
    target/debug/hotshoe guest save guest/prebuilt.wasm

# Renew docs/wit.md, the reference of the WIT packages
wit-docs:
    HOTSHOE_BLESS=1 cargo test --test serving the_wit_reference

# Everything that a contributor checks
check: lint test doc

# Format and lints
lint:
    cargo fmt --check
    cargo clippy --workspace --all-targets -- -D warnings

# All tests that this machine can run
test:
    cargo test

# How long it takes to replace the guest, what a stream costs, and its inner pieces: twenty minutes
bench:
    cargo bench --bench pieces
    cargo bench --bench page
    cargo bench --bench swap
    cargo bench --bench streams

# Fuzz every parser of untrusted bytes, for MINUTES each (needs cargo-fuzz and a nightly compiler)
fuzz MINUTES="5":
    cd host && for target in $(cargo +nightly fuzz list); do \
        cargo +nightly fuzz run --sanitizer none $target -- -max_total_time=$(({{MINUTES}} * 60)) -max_len=8192 || exit; \
    done

# Put a server under load for MINUTES, with swaps and faults; memory and descriptors must stay flat
soak MINUTES="60":
    cargo bench --bench soak -- {{MINUTES}}

# Check licences, sources and known vulnerabilities of the dependencies (needs cargo-deny)
deny:
    cargo deny check

# Fetch the virtual machine with real camera drivers that some tests use (Debian on x86-64, as root)
camera-vm:
    host/tests/machine/vm/run --prepare

# Check any server of MJPEG over HTTP with its clients (`--help`, `--list`)
conformance *ARGS:
    cargo run --quiet --bin hotshoe-conformance -- {{ARGS}}

# Pictures of the page for docs/, as it looks now
screenshots:
    mkdir -p docs
    HOTSHOE_SCREENSHOTS={{justfile_directory()}}/docs cargo test --test machine -- --exact everyone_can_use_the_page

# The documentation, with its warnings
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --workspace
