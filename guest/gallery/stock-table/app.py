"""The guest of `src/lib.rs` in Python: a table with a million rows, made by a generator while the client reads.

`/?rows=COUNT` has another number of rows. Build it with componentize-py:

    componentize-py --wit-path ../../../wit/server --world hotshoe:server/guest componentize app --output table.wasm
"""

from itertools import count, islice

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)

ROWS = 1_000_000

# The most bytes that the host takes at once.
CHUNK = 4096

SYMBOLS = ["LENS", "FLSH", "TRPD", "FILM", "SHTR"]

HEAD = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Stocks</title>
<style>td { padding: 0 1rem; text-align: right } body { font-family: system-ui }</style>
<h1>Stocks</h1>
<table>
<tr><th>Row<th>Symbol<th>Price<th>Change
"""


def table():
    """Yields the rows without end. The prices are those of the guest in Rust."""
    yield HEAD
    random = 0x2545F4914F6CDD1D
    prices = [10_000] * len(SYMBOLS)
    for number in count(1):
        random ^= random << 13 & (1 << 64) - 1
        random ^= random >> 7
        random ^= random << 17 & (1 << 64) - 1
        index = number % len(SYMBOLS)
        change = random % 201 - 100
        prices[index] = max(prices[index] + change, 100)
        price, amount = cents(prices[index]), cents(abs(change))
        yield f"<tr><td>{number}<td>{SYMBOLS[index]}<td>{price}<td>{'-' if change < 0 else '+'}{amount}\n"


def cents(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02}"


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        rows = (request.path_with_query() or "").partition("rows=")[2] or str(ROWS)
        status, parts = (200, islice(table(), int(rows) + 1)) if rows.isdecimal() else (400, ["rows= is a number\n"])
        response = OutgoingResponse(Fields.from_list([("content-type", b"text/html; charset=utf-8")]))
        response.set_status_code(status)
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        try:
            with body.write() as output:
                text = b""
                for part in parts:
                    text += part.encode()
                    while len(text) >= CHUNK:
                        # Returns when the client can take more.
                        output.blocking_write_and_flush(text[:CHUNK])
                        text = text[CHUNK:]
                output.blocking_write_and_flush(text)
            OutgoingBody.finish(body, None)
        except Err:
            pass  # The client has gone.
