#!/usr/bin/env python3
"""Measures components that see pictures: filters.py HOTSHOE [--reference OTHER] [--only TABLE]

HOTSHOE is the program to measure, OTHER an older one to compare with. TABLE is `viewers` or `components`. A camera
delivers pictures of 1280x720 at 30 frames per second. The first table has 50 viewers, with and without the filter
`mask` and the detector `motion`; the second one, what each component of the gallery costs. Rounds alternate between the
variants. Needs ffmpeg for the pictures, and builds the gallery unless HOTSHOE_GALLERY is the folder of its components.
"""

import argparse
import http.client
import json
import os
import selectors
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from server import Server

FPS = 30
VIEWERS = 50
# Seconds until all viewers receive pictures, and those that are measured. Enough for stable averages.
WARM_UP = 1
SECONDS = 5
ROUNDS = 2

GALLERY = Path(__file__).resolve().parents[2] / "guest/gallery"
TARGET = "wasm32-wasip2"

# The left half of the picture.
MASK = "mask.wasm?areas=0x0_0.5x0_0.5x1_0x1"


def components() -> Path:
    """Returns the folder of the built components."""
    folder = os.environ.get("HOTSHOE_GALLERY")
    if folder:
        return Path(folder).resolve()
    subprocess.run(["cargo", "build", "--release", "--target", TARGET], cwd=GALLERY, check=True)
    return GALLERY / "target" / TARGET / "release"


def make_pictures(folder: Path) -> float:
    """Makes pictures with moving shapes and noise. Returns their mean size in kB."""
    source = ["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=10", "-frames:v", "20", "-vf", "noise=alls=16:allf=t"]
    coding = ["-pix_fmt", "yuvj420p", "-q:v", "7"]
    subprocess.run(["ffmpeg", "-v", "error", *source, *coding, folder / "%02d.jpg"], check=True)
    return statistics.mean(file.stat().st_size for file in folder.iterdir()) / 1000


def start(hotshoe: str, pictures: Path, filters: list[str], options: list[str], cache: str) -> Server:
    """Starts a server with one camera."""
    camera = "".join([f"front=emulated:{pictures},fps={FPS}", *(f",filter={file}" for file in filters)])
    addresses = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    return Server(hotshoe, [*addresses, "--camera", camera, *options], cache)


def camera_status(server: Server) -> dict:
    """What the server reports about its camera. Programs from before there were filters report nothing."""
    connection = http.client.HTTPConnection(server.admin)
    connection.request("GET", "/status")
    status = json.load(connection.getresponse())
    connection.close()
    return status.get("cameras", [{"frames": 0, "lost": {}, "results": 0, "filters": []}])[0]


class Viewers:
    """Viewers that read a stream. The kernel drops what they receive (tcp(7), MSG_TRUNC), so they cost little."""

    def __init__(self, address: str, count: int):
        host, port = address.rsplit(":", 1)
        self.bytes = 0
        self.is_closed = False
        self.selector = selectors.DefaultSelector()
        for _ in range(count):
            connection = socket.create_connection((host, int(port)))
            connection.sendall(f"GET /video_feed/front HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
            self.selector.register(connection, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self) -> None:
        buffer = bytearray(1 << 20)
        while not self.is_closed:
            for key, _ in self.selector.select(0.1):
                count = key.fileobj.recv_into(buffer, len(buffer), socket.MSG_TRUNC)
                assert count, "a stream has ended"
                self.bytes += count

    def close(self) -> None:
        self.is_closed = True
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()


def part_length(address: str) -> float:
    """Returns the mean number of bytes of the parts that a viewer receives."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET /video_feed/front HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
        delimiter, data, parts, length = b"\r\n--frame\r\n", b"", -1, 0
        while parts < 2 * FPS:
            data += connection.recv(1 << 20)
            while delimiter in data:
                part, data = data.split(delimiter, 1)
                parts += 1
                # The first one follows the head of the response.
                length += len(part + delimiter) if parts > 0 else 0
        return length / parts


def watch(variant: tuple, pictures: Path, cache: str, count: int) -> dict:
    """Runs a server with viewers. Returns what they received and what it cost."""
    hotshoe, filters, options = variant
    server = start(hotshoe, pictures, filters, options, cache)
    try:
        length = part_length(server.plain)
        viewers = Viewers(server.plain, count)
        time.sleep(WARM_UP)
        before, cpu, received, began = camera_status(server), server.cpu_ms(), viewers.bytes, time.monotonic()
        time.sleep(SECONDS)
        after, cpu, received = camera_status(server), server.cpu_ms() - cpu, viewers.bytes - received
        seconds = time.monotonic() - began
        viewers.close()
    finally:
        server.stop()
    lost = sum(after["lost"].values()) - sum(before["lost"].values())
    busy_ms = [1000 * sum(filter["busy"] for filter in status["filters"]) for status in (before, after)]
    return {
        "rate": received / length / count / seconds,
        "delivered": after["frames"] - before["frames"],
        "lost": lost,
        "results": after["results"] - before["results"],
        "busy_ms": busy_ms[1] - busy_ms[0],
        "core": cpu / seconds / 1000,
        "cpu_ms": cpu,
        "seconds": seconds,
    }


def rounds(variants: dict, pictures: Path, cache: str, count: int) -> dict:
    """Measures the variants in turn. Returns the rounds of each."""
    measured = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, variant in variants.items():
            measured[name].append(watch(variant, pictures, cache, count))
    return measured


def median(values) -> float:
    return statistics.median(values)


def compare_viewers(variants: dict, pictures: Path, cache: str) -> None:
    measured = rounds(variants, pictures, cache, VIEWERS)
    base = next(iter(variants))
    print(f"\n{VIEWERS} viewers, {FPS} fps, {ROUNDS} rounds of {SECONDS} s, medians:\n")
    print("| | frames per second and viewer | frames lost in the server | processor, cores | ratio (rounds) |")
    print("| --- | --- | --- | --- | --- |")
    for name, found in measured.items():
        ratios = [one["core"] / other["core"] for one, other in zip(found, measured[base])]
        lost = f"{sum(one['lost'] for one in found)} of {sum(one['lost'] + one['delivered'] for one in found)}"
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        cores = median(one["core"] for one in found)
        print(f"| {name} | {median(one['rate'] for one in found):.1f} | {lost} | {cores:.2f} | {median(ratios):.2f} ({each}) |")


def compare_components(variants: dict, pictures: Path, cache: str) -> None:
    measured = rounds(variants, pictures, cache, 1)
    plain = measured.pop(next(iter(variants)))
    print(f"\nOne viewer, {FPS} fps, {ROUNDS} rounds of {SECONDS} s, medians. Processor time above that without it:\n")
    print("| | pictures per second | for each of them | time in the filter | frames lost in the server |")
    print("| --- | --- | --- | --- | --- |")
    for name, found in measured.items():
        def pictures_of(one: dict) -> float:
            # Filters see all frames, detectors attach results, and the time-lapse keeps a picture per second.
            if one["busy_ms"]:
                return one["delivered"]
            return one["results"] or one["seconds"]

        costs = [(one["cpu_ms"] - other["cpu_ms"]) / pictures_of(one) for one, other in zip(found, plain)]
        rate = median(pictures_of(one) / one["seconds"] for one in found)
        busy = median(one["busy_ms"] / max(one["delivered"], 1) for one in found)
        lost = f"{sum(one['lost'] for one in found)} of {sum(one['lost'] + one['delivered'] for one in found)}"
        each = ", ".join(f"{cost:.2f}" for cost in costs)
        print(f"| {name} | {rate:.1f} | {median(costs):.2f} ms ({each}) | {f'{busy:.2f} ms' if busy else ''} | {lost} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hotshoe")
    parser.add_argument("--reference")
    parser.add_argument("--only", choices=["viewers", "components"])
    args = parser.parse_args()
    hotshoe, gallery = str(Path(args.hotshoe).resolve()), components()
    motion = ["--wrap", str(gallery / "motion.wasm")]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        print(f"1280x720, {make_pictures(Path(folder)):.0f} kB", flush=True)
        if args.only != "components":
            variants = {"without": (hotshoe, [], []), "`mask` and `motion`": (hotshoe, [f"{gallery}/{MASK}"], motion)}
            if args.reference:
                variants["without, reference"] = (str(Path(args.reference).resolve()), [], [])
            compare_viewers(variants, Path(folder), cache)
        if args.only != "viewers":
            timelapse = ["--wrap", str(gallery / "timelapse.wasm"), "--guest-env", "TIMELAPSE_SECONDS=1"]
            variants = {
                "without": (hotshoe, [], []),
                "`motion`": (hotshoe, [], motion),
                "`faces`": (hotshoe, [], ["--wrap", str(gallery / "faces.wasm")]),
                "`mask`": (hotshoe, [f"{gallery}/{MASK}"], []),
                "`mask`, mosaic": (hotshoe, [f"{gallery}/{MASK}&mosaic=4"], []),
                "`overlay`": (hotshoe, [f"{gallery}/overlay.wasm"], []),
                "`timelapse`, one per second": (hotshoe, [], timelapse),
            }
            compare_components(variants, Path(folder), cache)


if __name__ == "__main__":
    main()
