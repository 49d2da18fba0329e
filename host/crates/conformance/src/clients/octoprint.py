"""OctoPrint's server downloads a snapshot within five seconds. Argument: the URL of the snapshot."""

import sys

import requests

response = requests.get(sys.argv[1], timeout=5, verify=False)
response.raise_for_status()
kind = response.headers.get("Content-Type", "")
if kind.split(";")[0].strip() != "image/jpeg":
    sys.exit(f"Content-Type is {kind!r}")
body = response.content
if body[:2] != b"\xff\xd8" or body[-2:] != b"\xff\xd9":
    sys.exit(f"{len(body)} bytes that are not a complete JPEG")
length = response.headers.get("Content-Length")
if length is not None and int(length) != len(body):
    sys.exit(f"Content-Length is {length}, but {len(body)} bytes arrived")
must_decode(body, "snapshot")
