"""A web application that does not use cameras."""

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.types import Fields, OutgoingBody, OutgoingResponse, ResponseOutparam


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request, response_out):
        print(f"Python received a request for {request.path_with_query()}", flush=True)
        try:
            open("/etc/passwd")
            outcome = "opened"
        except OSError as error:
            outcome = type(error).__name__
        response = OutgoingResponse(Fields.from_list([]))
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        with body.write() as stream:
            stream.blocking_write_and_flush(f"Python, file: {outcome}\n".encode())
        OutgoingBody.finish(body, None)
