"""A guestbook in a database: `POST /<name>` writes an entry, `GET /<name>` and `GET /` read, the newest first."""

from __future__ import annotations

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import readwrite, streams
from wit_world.imports import wasi_http_types as http
from wit_world.imports import wasi_sql_types as sql

TABLE = "CREATE TABLE IF NOT EXISTS entries (number INTEGER PRIMARY KEY, name TEXT NOT NULL, entry TEXT NOT NULL)"
WRITE = "INSERT INTO entries (name, entry) VALUES (?, ?)"
READ = "SELECT name || ': ' || entry FROM entries WHERE ?1 IN ('', name) ORDER BY number DESC LIMIT 100"


class IncomingHandler(exports.IncomingHandler):
    """What the world's `wasi:http/incoming-handler` calls for each request."""

    def handle(self, request: http.IncomingRequest, response_out: http.ResponseOutparam) -> None:
        """Writes or reads; what the client sent is bound to a statement and never part of its text."""
        name = sql.DataType_Str((request.path_with_query() or "/").partition("?")[0].removeprefix("/"))
        try:
            with sql.Connection.open("default") as database:
                readwrite.exec(database, sql.Statement.prepare(TABLE, []))
                if isinstance(request.method(), http.Method_Post):
                    entry = sql.DataType_Str(read(request).decode(errors="replace"))
                    changed = readwrite.exec(database, sql.Statement.prepare(WRITE, [name, entry]))
                    return send(response_out, 201, f"{changed} entry written\n")
                rows = readwrite.query(database, sql.Statement.prepare(READ, [name]))
                send(response_out, 200, "".join(f"{row.fields[0].value.value!s}\n" for row in rows))
        except Err as error:
            if not isinstance(error.value, sql.Error):
                raise
            send(response_out, 500, error.value.trace() + "\n")  # the database's own code and message


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


def send(response_out: http.ResponseOutparam, status: int, text: str) -> None:
    """Sends a response of one piece."""
    response = http.OutgoingResponse(http.Fields.from_list([("content-type", b"text/plain; charset=utf-8")]))
    response.set_status_code(status)
    body, content = response.body(), text.encode()
    http.ResponseOutparam.set(response_out, Ok(response))
    with body.write() as stream:
        for start in range(0, len(content), 4096):  # the most that one blocking write may carry
            stream.blocking_write_and_flush(content[start : start + 4096])
    http.OutgoingBody.finish(body, None)
