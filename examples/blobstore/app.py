"""Files over HTTP: `PUT`, `GET` and `DELETE /<name>`, and `GET /` for their names; bytes stream in both directions."""

from __future__ import annotations

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import blobstore, container, streams
from wit_world.imports import wasi_blobstore_types as blobs
from wit_world.imports import wasi_http_types as http


class IncomingHandler(exports.IncomingHandler):
    """What the world's `wasi:http/incoming-handler` calls for each request."""

    def handle(self, request: http.IncomingRequest, response_out: http.ResponseOutparam) -> None:
        """Serves one request from the container `files`."""
        name, files = (request.path_with_query() or "/").removeprefix("/"), open_container("files")
        response, status, content = http.OutgoingResponse(http.Fields()), 200, None
        match request.method(), name:
            case http.Method_Put(), _:
                made = blobs.OutgoingValue.new_outgoing_value()
                files.write_data(name, made)
                with request.consume() as upload, upload.stream() as source, made.outgoing_value_write_body() as target:
                    carry(source, target)
                blobs.OutgoingValue.finish(made)  # now it is visible, whole
            case http.Method_Delete(), _:
                files.delete_object(name)
            case http.Method_Get(), _ if name and files.has_object(name):
                found = files.get_data(name, 0, 2**64 - 1)  # an end behind the object's is the object's
                content = blobs.IncomingValue.incoming_value_consume_async(found)
            case _:
                status = 404 if name else 200
        response.set_status_code(status)
        body = response.body()
        http.ResponseOutparam.set(response_out, Ok(response))
        with body.write() as sink:
            if content is not None:
                carry(content, sink)
            elif not name:
                for object_name in files.list_objects().read_stream_object_names(1000)[0]:
                    sink.blocking_write_and_flush(f"{object_name}\n".encode())
        http.OutgoingBody.finish(body, None)


def open_container(name: str) -> container.Container:
    """The container, made when there is none."""
    try:
        return blobstore.create_container(name)
    except Err:
        return blobstore.get_container(name)


def carry(source: streams.InputStream, target: streams.OutputStream) -> None:
    """Has the host carry all bytes from one stream to the other; none of them enters the guest."""
    try:
        while True:
            target.blocking_splice(source, 1 << 20)
    except Err as error:
        if not isinstance(error.value, streams.StreamError_Closed):
            raise
