#!/usr/bin/env python3
"""Measures guests in Rust, C, JavaScript and Python: guests.py HOTSHOE [LANGUAGE...]

HOTSHOE is the program to measure. Creates a guest from each template, adds a path that streams without a channel, builds
it, and prints a table. The tools that the templates need must be installed; the first builds install theirs, unless
HOTSHOE_COMPONENTIZE_JS and HOTSHOE_COMPONENTIZE_PY name them, as for the tests.
"""

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from server import Server

# The number of requests for the page, of viewers, and the seconds that they watch. Enough for stable averages.
PAGES = 200
VIEWERS = 20
SECONDS = 5
FPS = 30

# For each language: the file with the code, and replacements that add the path `/own`: a stream that the instance
# writes itself.
LANGUAGES = {
    "rust": (
        "src/lib.rs",
        ('if path == "/" {', 'if path == "/own" {\n            own(out)\n        } else if path == "/" {'),
        (
            "fn page() ",
            r"""fn own(out: ResponseOutparam) {
    let feed = Feed::open(&list_cameras()[0].name).unwrap();
    let response = response(200, &[("content-type", "multipart/x-mixed-replace; boundary=frame")]);
    let body = response.body().unwrap();
    ResponseOutparam::set(out, Ok(response));
    let output = body.write().unwrap();
    output.blocking_write_and_flush(b"--frame\r\n").unwrap();
    while let Ok(frame) = feed.blocking_next(FRAME_TIMEOUT) {
        let Some(frame) = frame else { continue };
        let length = frame.image.info().length;
        let head = format!("Content-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n");
        output.blocking_write_and_flush(head.as_bytes()).unwrap();
        let image = frame.image.read_via_stream();
        let mut sent = 0;
        while sent < length {
            sent += output.blocking_splice(&image, length - sent).unwrap();
        }
        output.blocking_write_and_flush(b"\r\n--frame\r\n").unwrap();
    }
}

fn page() """,
        ),
    ),
    "c": (
        "src/guest.c",
        ('if (strcmp(path, "/") == 0) {', 'if (strcmp(path, "/own") == 0) own(out, cameras.ptr[0].name);\n    if (strcmp(path, "/") == 0) {'),
        (
            "// Responds to a request.",
            r"""static void own(wasi_http_types_own_response_outparam_t out, world_string_t camera) {
    hotshoe_camera_cameras_own_feed_t feed;
    hotshoe_camera_cameras_error_code_t error;
    hotshoe_camera_cameras_static_feed_open(&camera, &feed, &error);
    wasi_http_types_own_outgoing_response_t response =
        make_response(200, "multipart/x-mixed-replace; boundary=frame", 0);
    wasi_http_types_own_outgoing_body_t body = body_of(response);
    start(out, response);
    wasi_http_types_own_output_stream_t output = write_to(body);
    wasi_io_streams_borrow_output_stream_t stream = wasi_io_streams_borrow_output_stream(output);
    wasi_io_streams_stream_error_t stream_error;
    world_list_u8_t text = bytes("--frame\r\n");
    wasi_io_streams_method_output_stream_blocking_write_and_flush(stream, &text, &stream_error);
    for (;;) {
        hotshoe_camera_cameras_option_frame_t frame = {0};
        hotshoe_camera_cameras_method_feed_blocking_next(hotshoe_camera_cameras_borrow_feed(feed), FRAME_TIMEOUT,
                                                         &frame, &error);
        if (!frame.is_some) continue;
        hotshoe_camera_frames_borrow_image_t image = hotshoe_camera_frames_borrow_image(frame.val.image);
        hotshoe_camera_frames_image_info_t info;
        hotshoe_camera_frames_method_image_info(image, &info);
        char head[80];
        snprintf(head, sizeof head, "Content-Type: image/jpeg\r\nContent-Length: %llu\r\n\r\n", info.length);
        text = bytes(head);
        wasi_io_streams_method_output_stream_blocking_write_and_flush(stream, &text, &stream_error);
        wasi_io_streams_own_input_stream_t input = hotshoe_camera_frames_method_image_read_via_stream(image);
        for (uint64_t sent, left = info.length; left > 0; left -= sent)
            wasi_io_streams_method_output_stream_blocking_splice(stream, wasi_io_streams_borrow_input_stream(input),
                                                                 left, &sent, &stream_error);
        wasi_io_streams_input_stream_drop_own(input);
        hotshoe_camera_frames_image_drop_own(frame.val.image);
        text = bytes("\r\n--frame\r\n");
        wasi_io_streams_method_output_stream_blocking_write_and_flush(stream, &text, &stream_error);
    }
}

// Responds to a request.""",
        ),
    ),
    "js": (
        "src/guest.js",
        ("if (path === '/') {", "if (path === '/own') {\n      own(out);\n    } else if (path === '/') {"),
        (
            "function page() {",
            r"""function own(out) {
  const feed = Feed.open(listCameras()[0].name);
  const output = respond(out, 200, { 'content-type': 'multipart/x-mixed-replace; boundary=frame' }).write();
  output.blockingWriteAndFlush(bytes('--frame\r\n'));
  for (;;) {
    const frame = feed.blockingNext(FRAME_TIMEOUT);
    if (!frame) continue;
    const { length } = frame.image.info();
    output.blockingWriteAndFlush(bytes(`Content-Type: image/jpeg\r\nContent-Length: ${length}\r\n\r\n`));
    const image = frame.image.readViaStream();
    for (let sent = 0n; sent < length; ) sent += output.blockingSplice(image, length - sent);
    image[Symbol.dispose]();
    frame.image[Symbol.dispose]();
    output.blockingWriteAndFlush(bytes('\r\n--frame\r\n'));
  }
}

function page() {""",
        ),
    ),
    "python": (
        "app.py",
        ('case [""]:', 'case ["own"]:\n                own(response_out)\n            case [""]:'),
        (
            "def snapshot(",
            r"""def own(out):
    feed = Feed.open(list_cameras()[0].name)
    response = make_response(200, {"content-type": "multipart/x-mixed-replace; boundary=frame"})
    body = response.body()
    ResponseOutparam.set(out, Ok(response))
    with body.write() as output:
        output.blocking_write_and_flush(b"--frame\r\n")
        while True:
            frame = feed.blocking_next(FRAME_TIMEOUT)
            if not frame:
                continue
            left = frame.image.info().length
            output.blocking_write_and_flush(f"Content-Type: image/jpeg\r\nContent-Length: {left}\r\n\r\n".encode())
            with frame.image as image, image.read_via_stream() as stream:
                while left:
                    left -= output.blocking_splice(stream, left)
            output.blocking_write_and_flush(b"\r\n--frame\r\n")


def snapshot(""",
        ),
    ),
}


def build(hotshoe: str, language: str, folder: Path) -> tuple[bytes, bytes]:
    """Builds the template, and then the guest. Returns both components."""
    guest = folder / f"{language}-guest"
    subprocess.run([hotshoe, "guest", "new", "--lang", language, guest], check=True, stdout=subprocess.DEVNULL)
    js, py = os.environ.get("HOTSHOE_COMPONENTIZE_JS"), os.environ.get("HOTSHOE_COMPONENTIZE_PY")
    if language == "js" and js:
        (guest / "node_modules").symlink_to(Path(js).parent.parent)
    if language == "python" and py:
        (guest / ".venv/bin").mkdir(parents=True)
        (guest / ".venv/bin/componentize-py").symlink_to(py)

    def component() -> bytes:
        subprocess.run(["./build", "guest.wasm"], cwd=guest, check=True, stdout=subprocess.DEVNULL)
        return (guest / "guest.wasm").read_bytes()

    template = component()
    file, *replacements = LANGUAGES[language]
    code = (guest / file).read_text()
    for old, new in replacements:
        assert old in code, old
        code = code.replace(old, new, 1)
    (guest / file).write_text(code)
    return template, component()


class GuestServer(Server):
    """A server with the built-in guest and an empty cache."""

    def __init__(self, hotshoe: str, cache: str):
        addresses = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        super().__init__(hotshoe, [*addresses, "--camera", f"emulated,fps={FPS}"], cache)

    def put(self, component: bytes) -> float:
        """Replaces the guest and requests the page. Returns the seconds that this takes."""
        start = time.monotonic()
        connection = http.client.HTTPConnection(self.admin)
        connection.request("PUT", "/guest", component)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        self.page()
        return time.monotonic() - start

    def page(self) -> None:
        connection = http.client.HTTPConnection(self.plain)
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.status == 200 and response.read()
        connection.close()


class Viewers:
    """Viewers that read a stream in threads of this process."""

    def __init__(self, address: str, path: str):
        host, port = address.rsplit(":", 1)
        self.parts = 0
        self.lock = threading.Lock()
        self.sockets = [socket.create_connection((host, int(port))) for _ in range(VIEWERS)]
        for connection in self.sockets:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
            threading.Thread(target=self.read, args=[connection], daemon=True).start()

    def read(self, connection: socket.socket) -> None:
        try:
            while data := connection.recv(1 << 20):
                with self.lock:
                    self.parts += data.count(b"\r\n--frame\r\n")
        except OSError:
            pass

    def close(self) -> None:
        for connection in self.sockets:
            connection.close()


def watch(server: Server, path: str) -> tuple[float, float, float]:
    """Returns the memory per viewer in bytes, the processor time per part in ms, and the rate per viewer."""
    before = server.memory()
    viewers = Viewers(server.plain, path)
    time.sleep(2)  # Until all have started.
    cpu, parts, start = server.cpu_ms(), viewers.parts, time.monotonic()
    time.sleep(SECONDS)
    cpu, parts, seconds = server.cpu_ms() - cpu, viewers.parts - parts, time.monotonic() - start
    memory = (server.memory() - before) / VIEWERS
    viewers.close()
    time.sleep(1)
    return memory, cpu / parts, parts / seconds / VIEWERS


def measure(hotshoe: str, template: bytes, component: bytes) -> list[str]:
    with tempfile.TemporaryDirectory() as cache:
        server = GuestServer(hotshoe, cache)
        cold = server.put(template)
        after = server.memory()
        # Most functions are those of the template.
        edited = server.put(component)
        # Two different guests: the cache keeps both.
        server.put(component + b"\0\x02\x01x")
        cached = server.put(component)
        cpu = server.cpu_ms()
        for _ in range(PAGES):
            server.page()
        page = (server.cpu_ms() - cpu) / PAGES
        memory, part, rate = watch(server, "/own")
        _, shared, shared_rate = watch(server, "/stream/emulated")
        server.stop()
    return [
        f"{len(component) / 1e6:.2f} MB",
        f"{cold:.2f} s",
        f"{edited:.2f} s",
        f"{cached * 1000:.0f} ms",
        f"{after / 2**20:.0f} MiB",
        f"{page:.2f} ms",
        f"{memory / 2**20:.2f} MiB",
        f"{part * 1000:.0f} µs at {rate:.0f} fps",
        f"{shared * 1000:.0f} µs at {shared_rate:.0f} fps",
    ]


def main() -> None:
    hotshoe = str(Path(sys.argv[1]).resolve())
    print("| guest | component | new: first page | edited: first page | cached: first page | host memory | page: CPU | own stream: memory per viewer | own stream: CPU per frame | channel: CPU per frame |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for language in sys.argv[2:] or LANGUAGES:
            components = build(hotshoe, language, Path(folder))
            print("| " + " | ".join([language, *measure(hotshoe, *components)]) + " |", flush=True)


if __name__ == "__main__":
    main()
