"""Reads the stream with requests and splits it by Content-Length. Argument: the URL of the stream."""

import re
import sys

import requests

response = requests.get(sys.argv[1], stream=True, timeout=10)
response.raise_for_status()
held = b""
frames = 0
for piece in response.iter_content(chunk_size=4096):
    held += piece
    while frames < 5:
        head, end, rest = held.partition(b"\r\n\r\n")
        if not end:
            break
        length = re.search(rb"(?im)^content-length:\s*(\d+)", head)
        if not length:
            sys.exit(f"a part has no Content-Length: {head[:80]!r}")
        length = int(length[1])
        if len(rest) < length:
            break
        if rest[:2] != b"\xff\xd8" or rest[length - 2 : length] != b"\xff\xd9":
            sys.exit(f"a part of {length} bytes is not a complete JPEG")
        held = rest[length:]
        frames += 1
    if frames == 5:
        sys.exit(0)
sys.exit(f"the stream ended after {frames} frames")
