# Recipes for development. `cargo run` and `cargo test` work without them.

# List the recipes
default:
    @just --list

# Run the server in release mode
run *ARGS:
    cargo run --release -- {{ARGS}}

# Run the server with the guest in this tree, and rebuild the guest whenever a file is saved
dev *ARGS:
    cargo build --bin hotshoe
    HOTSHOE={{justfile_directory()}}/target/debug/hotshoe guest/dev {{ARGS}}

# Create a folder with a new guest from the template
new-guest DIR:
    cd "{{invocation_directory()}}" && cargo run --quiet --manifest-path "{{justfile_directory()}}/Cargo.toml" -- guest new "{{DIR}}"

# Build the guest and save the prebuilt copy, which is embedded where the WebAssembly target is not installed
guest:
    cargo build
    target/debug/hotshoe guest save guest/prebuilt.wasm

# Regenerate the references of the WIT packages, docs/wit.md and docs/wit-0.3.md
wit-docs:
    HOTSHOE_BLESS=1 cargo test --test serving the_wit_reference

# Regenerate the bindings in the C template (needs `cargo install wit-bindgen-cli --version 0.60.0`)
c-bindings:
    wit-bindgen c guest/wit --world hotshoe:server/publishing-guest --rename-world world --out-dir guest/templates/c/bindings

# Run all checks for a contribution
check: lint test doc

# Check the format and the lints
lint:
    cargo fmt --check
    cargo clippy --workspace --all-targets -- -D warnings

# Run all tests that this machine has the tools for
test:
    cargo test

# Check that clients see nothing that filters hide while the camera captures FRAMES frames and faults strike the filters
mask FRAMES="100000" SEED="16":
    HOTSHOE_MASK_FRAMES={{FRAMES}} HOTSHOE_MASK_SEED={{SEED}} cargo test --test serving -- --nocapture --exact filters::mask::the_mask_never_fails_open

# Run the benchmarks (twenty minutes)
bench:
    cargo bench --bench pieces
    cargo bench --bench instructions
    cargo bench --bench page
    cargo bench --bench swap
    cargo bench --bench streams

# Measure guests in Rust, C, JavaScript and Python (needs their toolchains; five minutes)
bench-guests:
    cargo build --release
    host/benches/guests.py target/release/hotshoe

# Measure what TLS costs (needs nginx and openssl; four minutes)
bench-tls:
    cargo build --release
    host/benches/tls.py target/release/hotshoe

# Measure the filters and detectors of the gallery (needs ffmpeg and the target wasm32-wasip2; five minutes)
bench-filters:
    cargo build --release
    host/benches/filters.py target/release/hotshoe

# Fuzz each parser of untrusted input for MINUTES (needs cargo-fuzz and a nightly compiler)
fuzz MINUTES="5":
    cd host && for target in $(cargo +nightly fuzz list); do \
        cargo +nightly fuzz run --sanitizer none $target -- -max_total_time=$(({{MINUTES}} * 60)) -max_len=8192 || exit; \
    done

# Run a server under load for MINUTES, with swaps and faults, and check that memory and open files do not grow
soak MINUTES="60":
    cargo bench --bench soak -- {{MINUTES}}

# Check a tree of servers with VIEWERS viewers, a restart, a death and a lossy link (as root, needs HAProxy; a minute)
acceptance-trees VIEWERS="3000" RATE="5":
    cargo bench --bench trees -- {{VIEWERS}} {{RATE}}

# Build a release into target/distribution: static binaries, Debian packages, a container image (needs the tools in docs/install.md)
dist *ARCHITECTURES:
    packaging/dist {{ARCHITECTURES}}

# Check the licences, sources and known vulnerabilities of all dependencies (needs cargo-deny)
deny:
    cargo deny check

# Download the virtual machine with real camera drivers, for some tests (Debian on x86-64, as root)
camera-vm:
    host/tests/machine/vm/run --prepare

# Check any MJPEG server with the clients that people use (see `--help` and `--list`)
conformance *ARGS:
    cargo run --quiet --bin hotshoe-conformance -- {{ARGS}}

# Take the screenshots in docs/
screenshots:
    mkdir -p docs
    HOTSHOE_SCREENSHOTS={{justfile_directory()}}/docs cargo test --test machine -- --exact the_page_is_accessible

# Take the pictures in docs/gallery.md
gallery-pictures:
    HOTSHOE_SCREENSHOTS={{justfile_directory()}}/docs cargo test --test machine -- --exact gallery_pictures_show_each_component

# Build the documentation without warnings
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --workspace
