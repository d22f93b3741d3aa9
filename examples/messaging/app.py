"""One message in, a thousand out: `POST /` publishes to `work`, whose handler sends 1 000 messages to `results`."""

from __future__ import annotations

import time

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import producer, streams
from wit_world.imports import wasi_http_types as http
from wit_world.imports.wasi_messaging_types import Client, Message

RESULTS = 1000


class WasiHttpIncomingHandler(exports.WasiHttpIncomingHandler):
    """What the host calls for each request."""

    def handle(self, request: http.IncomingRequest, response_out: http.ResponseOutparam) -> None:
        """Publishes the body, and answers as soon as the broker has it."""
        with Client.connect("default") as client:
            producer.send(client, "work", Message(read(request)))
        response = http.OutgoingResponse(http.Fields())
        response.set_status_code(202)
        http.ResponseOutparam.set(response_out, Ok(response))


class WasiMessagingIncomingHandler(exports.WasiMessagingIncomingHandler):
    """What the host calls for each message of the topics that it was told to subscribe to."""

    def handle(self, message: Message) -> None:
        """Does the work, or takes note of a result; an exception would have the message delivered again."""
        if message.topic() == "work":
            began_s = time.time()
            with Client.connect("default") as client:
                for number in range(1, RESULTS + 1):
                    result = Message(message.data())
                    result.set_metadata([("number", str(number)), ("began", str(began_s))])
                    producer.send(client, "results", result)
            print(f"{RESULTS} results sent after {time.time() - began_s:.3f} s")
        elif (told := dict(message.metadata() or ()))["number"] == str(RESULTS):
            print(f"result {RESULTS} handled after {time.time() - float(told['began']):.3f} s")


def read(request: http.IncomingRequest) -> bytes:
    """The whole body of a request."""
    content = bytearray()
    with request.consume() as body, body.stream() as stream:
        try:
            while True:
                content += stream.blocking_read(1 << 16)
        except Err as error:
            if not isinstance(error.value, streams.StreamError_Closed):
                raise
    return bytes(content)
