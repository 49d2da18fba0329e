#!/usr/bin/env python3
"""Measures what TLS costs: tls.py HOTSHOE [ROUNDS]

HOTSHOE is the program to measure. Compares plain HTTP, TLS by HOTSHOE, and TLS by nginx in front of it: the processor
time of all servers per frame and viewer, and the memory of HOTSHOE per viewer. The servers run on the first processor,
and the viewers, which are threads of this process, on the others. Needs nginx and openssl.
"""

import contextlib
import os
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from server import Server

# The length of a frame in bytes, and how many viewers watch: what one processor does at 30 frames per second.
LOADS = [(27_000, 60), (160_000, 10)]
FPS = 30
# Until all viewers have started, and then for stable averages.
WARM_UP = 2
SECONDS = 6
# Enough viewers for a difference in memory that is not noise.
MEMORY_VIEWERS = 300
BOUNDARY = b"\r\n--frame\r\n"

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.3;
        ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
        location / {{ proxy_pass http://{address}; {option} }}
    }}
}}
"""


def on(processors: set[int]):
    """Returns a function that makes the calling process run on these processors."""
    return lambda: os.sched_setaffinity(0, processors)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def start(program: str, folder: Path, camera: str, fps: int) -> Server:
    """Starts the program under test with one camera of pictures, by plain HTTP and by TLS."""
    options = ["--listen", "127.0.0.1:0", "--listen", "tls:127.0.0.1:0", "--admin", "off"]
    options += ["--tls-certificate", folder / "cert.pem", "--tls-key", folder / "key.pem"]
    # All viewers have one address.
    options += ["--camera", f"camera=emulated{camera},fps={fps}", "--max-connections-per-address", "1000"]
    return Server(program, options, str(folder), preexec_fn=on(SERVERS))


class Nginx:
    def __init__(self, folder: Path, address: str, option: str):
        port = free_port()
        self.tls = f"127.0.0.1:{port}"
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, address=address, option=option))
        command = ["nginx", "-e", folder / "error.log", "-c", folder / "nginx.conf"]
        self.process = subprocess.Popen(command, preexec_fn=on(SERVERS))
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return
            if time.monotonic() > deadline:
                sys.exit("nginx does not start")
            time.sleep(0.05)


@contextlib.contextmanager
def running(server):
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait()


def processor_time(server) -> int:
    """The processor time so far of a server and its children, in ns (/proc/pid/task/tid/schedstat)."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    threads = [path for pid in [server.process.pid, *children] for path in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)


class Viewers:
    """Viewers that read a stream, each in a thread."""

    def __init__(self, address: str, count: int, tls: bool):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        host, port = address.rsplit(":", 1)
        self.counts = [0] * count
        self.sockets = []
        for index in range(count):
            connection = socket.create_connection((host, int(port)))
            if tls:
                connection = context.wrap_socket(connection)
            connection.sendall(f"GET /video_feed HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
            self.sockets.append(connection)
            threading.Thread(target=self.read, args=[connection, index], daemon=True).start()

    def read(self, connection: socket.socket, index: int) -> None:
        tail = b""
        with contextlib.suppress(OSError, ValueError):
            while data := connection.recv(256 << 10):
                # A delimiter may be split.
                self.counts[index] += data.count(BOUNDARY) + (tail + data[: len(BOUNDARY) - 1]).count(BOUNDARY)
                tail = data[-(len(BOUNDARY) - 1) :]

    def close(self) -> None:
        for connection in self.sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def cost(servers: list, address: str, viewers: int, tls: bool) -> float:
    """The processor time of the servers per frame and viewer, in µs."""
    crowd = Viewers(address, viewers, tls)
    time.sleep(WARM_UP)
    time_of_all = lambda: sum(map(processor_time, servers))
    before, parts = time_of_all(), sum(crowd.counts)
    time.sleep(SECONDS)
    spent, parts = time_of_all() - before, sum(crowd.counts) - parts
    crowd.close()
    expected = viewers * FPS * SECONDS
    if parts < 0.9 * expected:
        print(f"only {parts} of {expected} frames arrived: the machine is busy, or too slow", file=sys.stderr)
    return spent / parts / 1000


def make_files(program: str, folder: Path) -> dict[int, str]:
    """Makes a certificate and, for each length, a folder with a picture. Returns the sources of the cameras."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost"
    subprocess.run(
        [*command.split(), "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True
    )
    (folder / "key.pem").chmod(0o600)
    with running(start(program, folder, "", FPS)) as server:
        picture = urllib.request.urlopen(f"http://{server.plain}/snapshot").read()
    sources = {}
    for length, _ in LOADS:
        pictures = folder / str(length)
        pictures.mkdir()
        (pictures / "1.jpg").write_bytes(padded(picture, length))
        sources[length] = f":{pictures}"
    return sources


def padded(picture: bytes, length: int) -> bytes:
    """Makes a JPEG image longer with comments (ITU-T T.81, B.2.4.5)."""
    comments = b""
    while (missing := length - len(picture) - len(comments)) > 4:
        size = min(missing - 2, 65535)
        comments += b"\xff\xfe" + struct.pack(">H", size) + os.urandom(size - 2).replace(b"\xff", b"\0")
    return picture[:2] + comments + picture[2:]


def measure_costs(program: str, folder: Path, source: str, viewers: int) -> list[float]:
    with running(start(program, folder, source, FPS)) as server:
        costs = [cost([server], server.plain, viewers, False), cost([server], server.tls, viewers, True)]
        for option in ["", "proxy_buffering off;"]:
            with running(Nginx(folder, server.plain, option)) as nginx:
                costs.append(cost([server, nginx], nginx.tls, viewers, True))
    return costs


def measure_memory(program: str, folder: Path, source: str, tls: bool) -> float:
    """The memory per viewer in KiB."""
    with running(start(program, folder, source, 1)) as server:
        address = server.tls if tls else server.plain
        # What the first viewer needs does not count.
        first = Viewers(address, 1, tls)
        time.sleep(WARM_UP)
        before = server.memory()
        others = Viewers(address, MEMORY_VIEWERS, tls)
        time.sleep(2 * WARM_UP)
        memory = server.memory() - before
        first.close()
        others.close()
    return memory / MEMORY_VIEWERS / 1024


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    program, rounds = str(Path(sys.argv[1]).resolve()), int(sys.argv[2]) if len(sys.argv) == 3 else 3
    os.sched_setaffinity(0, CLIENTS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = make_files(program, folder)
        print("| frame size, viewers | plain HTTP | Hotshoe with TLS | nginx with TLS before Hotshoe | the same, `proxy_buffering off` |")
        print("| --- | --- | --- | --- | --- |")
        for length, viewers in LOADS:
            measured = [measure_costs(program, folder, sources[length], viewers) for _ in range(rounds)]
            means = [sum(values) / rounds for values in zip(*measured)]
            spread = max(max(values) / min(values) for values in zip(*measured)) - 1
            cells = [f"{means[0]:.0f} µs", *(f"{mean:.0f} µs ({mean / means[0]:.1f})" for mean in means[1:])]
            print(f"| {length / 1000:.0f} kB, {viewers} | " + " | ".join(cells) + f" | rounds differ by {spread:.0%}", flush=True)
        source = sources[LOADS[0][0]]
        plain, tls = (measure_memory(program, folder, source, tls) for tls in [False, True])
        print(f"\nEach of {MEMORY_VIEWERS} viewers: {tls:.0f} KiB with TLS, {plain:.0f} KiB without.")


ALL = sorted(os.sched_getaffinity(0))
SERVERS, CLIENTS = ({ALL[0]}, set(ALL[1:])) if len(ALL) > 1 else (set(ALL), set(ALL))

if __name__ == "__main__":
    main()
