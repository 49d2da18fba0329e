"""A guest for Hotshoe. It responds to three paths:

- `/`: a page with the stream of each camera.
- `/snapshot/NAME`: a frame of a camera.
- `/stream/NAME`: all frames of a camera, in one response without an end.
"""

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports.cameras import Feed, list_cameras
from wit_world.imports.channels import Channel, HeadPiece_Bytes, HeadPiece_Length, ViewerOptions, join
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)

# How long to wait for a frame, in nanoseconds. A camera may have to be opened first.
FRAME_TIMEOUT = 4_000_000_000

# How often the publisher looks for a placeholder if there are no frames, in nanoseconds.
REPEAT_INTERVAL = 1_000_000_000

PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{guest-name}</title>
<style>
  body { font-family: system-ui, sans-serif; margin: 1rem; }
  img { width: 100%; max-width: 60rem; }
</style>
<h1>{guest-name}</h1>
CAMERAS
</html>
"""

CARD = '<p><a href="/snapshot/NAME"><img src="/stream/NAME" alt="NAME"></a>'


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        """Responds to a request. The host calls it in a new instance for each request."""
        path = (request.path_with_query() or "").partition("?")[0]
        cameras = [camera.name for camera in list_cameras()]
        match path.split("/", 2)[1:]:
            case [""]:
                cards = "\n".join(CARD.replace("NAME", name) for name in cameras)
                send(response_out, 200, "text/html; charset=utf-8", PAGE.replace("CAMERAS", cards))
            case ["snapshot", camera] if camera in cameras:
                snapshot(response_out, camera)
            case ["stream", camera] if camera in cameras:
                stream(response_out, camera)
            case _:
                send(response_out, 404, "text/plain", "there is no such page or camera\n")


def snapshot(out: ResponseOutparam, camera: str) -> None:
    frame = Feed.open(camera).blocking_next(FRAME_TIMEOUT)
    if frame is None:
        return send(out, 503, "text/plain", "there is no picture at the moment\n")
    left = frame.image.info().length
    response = make_response(200, {"content-type": "image/jpeg", "content-length": str(left)})
    body = response.body()
    ResponseOutparam.set(out, Ok(response))
    # The host sends the image; it is not copied to the memory of this guest.
    with body.write() as output, frame.image.read_via_stream() as image:
        while left:
            left -= output.blocking_splice(image, left)
    OutgoingBody.finish(body, None)


def stream(out: ResponseOutparam, camera: str) -> None:
    """Passes the response to the channel of the camera, which has its name. The host writes the body from now on."""
    response = make_response(200, {"content-type": "multipart/x-mixed-replace; boundary=frame"})
    options = ViewerOptions(opening=b"--frame\r\n", closing=b"--frame--\r\n", max_rate=None, label="")
    try:
        join(response.body(), camera, options)
    except Err as error:
        return send(out, 503, "text/plain", f"cannot join the stream: {error.value}\n")
    ResponseOutparam.set(out, Ok(response))


class Publisher(exports.Publisher):
    def publish(self, channel: Channel) -> None:
        """Builds the stream of a camera once for all viewers. The host calls it for each channel that has viewers."""
        feed = Feed.open(channel.name())
        start, end = b"Content-Type: image/jpeg\r\nContent-Length: ", b"\r\n\r\n"
        head = [HeadPiece_Bytes(start), HeadPiece_Length(), HeadPiece_Bytes(end)]
        # The delimiter follows the image at once, because browsers show an image only when they have read it.
        tail = b"\r\n--frame\r\n"
        while True:
            # The host makes a part of each frame, until there is none.
            if last := channel.push_frames(feed, head, tail, REPEAT_INTERVAL):
                with last.image:
                    pass  # Releases the image.
            # While the camera is lost, its placeholder says why.
            if image := feed.placeholder():
                with image:
                    channel.push(start + str(image.info().length).encode() + end, image, tail)


def send(out: ResponseOutparam, status: int, content_type: str, text: str) -> None:
    content = text.encode()
    response = make_response(status, {"content-type": content_type, "content-length": str(len(content))})
    body = response.body()
    ResponseOutparam.set(out, Ok(response))
    with body.write() as output:
        for start in range(0, len(content), 4096):
            output.blocking_write_and_flush(content[start : start + 4096])
    OutgoingBody.finish(body, None)


def make_response(status: int, headers: dict[str, str]) -> OutgoingResponse:
    headers = {**headers, "cache-control": "no-store"}
    response = OutgoingResponse(Fields.from_list([(name, value.encode()) for name, value in headers.items()]))
    response.set_status_code(status)
    return response
