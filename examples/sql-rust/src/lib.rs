//! The guestbook of `examples/sql` in Rust: `POST /<name>` writes an entry, `GET /<name>` and `GET /` read.

use exports::wasi::http::incoming_handler::{Guest, IncomingRequest, ResponseOutparam};
use wasi::http::types::{Fields, Method, OutgoingBody, OutgoingResponse};
use wasi::io::streams::StreamError;
use wasi::sql::readwrite;
use wasi::sql::types::{Connection, DataType, Error, Statement};

wit_bindgen::generate!({
    world: "example:sql-rust/guestbook",
    // Each package after those that it names; the world last.
    path: [
        "../../wit/wasi-io-0.2.12",
        "../../wit/wasi-clocks-0.2.12",
        "../../wit/wasi-random-0.2.12",
        "../../wit/wasi-filesystem-0.2.12",
        "../../wit/wasi-sockets-0.2.12",
        "../../wit/wasi-cli-0.2.12",
        "../../wit/wasi-http-0.2.12",
        "../../wit/wasi-sql-0.2.0-draft",
        "wit",
    ],
    generate_all,
});

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS entries (number INTEGER PRIMARY KEY, name TEXT NOT NULL, entry TEXT NOT NULL)";
const WRITE: &str = "INSERT INTO entries (name, entry) VALUES (?, ?)";
const READ: &str =
    "SELECT name || ': ' || entry FROM entries WHERE ?1 IN ('', name) ORDER BY number DESC LIMIT 100";

struct Guestbook;

impl Guest for Guestbook {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        match answer(&request) {
            Ok((status, text)) => send(response_out, status, &text),
            Err(error) => send(response_out, 500, &format!("{}\n", error.trace())), // the database's code and message
        }
    }
}

/// Writes or reads; what the client sent is bound to a statement and never part of its text.
fn answer(request: &IncomingRequest) -> Result<(u16, String), Error> {
    let path = request.path_with_query().unwrap_or_default();
    let name = DataType::Str(path.trim_start_matches('/').split('?').next().map(str::to_owned));
    let database = Connection::open("default")?;
    readwrite::exec(&database, &Statement::prepare(TABLE, &[])?)?;
    if matches!(request.method(), Method::Post) {
        let entry = DataType::Str(Some(String::from_utf8_lossy(&read(request)).into_owned()));
        let changed = readwrite::exec(&database, &Statement::prepare(WRITE, &[name, entry])?)?;
        return Ok((201, format!("{changed} entry written\n")));
    }
    let rows = readwrite::query(&database, &Statement::prepare(READ, &[name])?)?;
    let lines = rows.into_iter().flat_map(|row| row.fields).map(|field| match field.value {
        DataType::Str(Some(line)) => line + "\n",
        other => format!("{other:?}\n"),
    });
    Ok((200, lines.collect()))
}

/// The whole body of a request.
fn read(request: &IncomingRequest) -> Vec<u8> {
    let body = request.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    let mut content = Vec::new();
    loop {
        match stream.blocking_read(1 << 16) {
            Ok(part) => content.extend(part),
            Err(StreamError::Closed) => return content,
            Err(error) => panic!("the client is gone: {error:?}"),
        }
    }
}

/// Sends a response of one piece.
fn send(response_out: ResponseOutparam, status: u16, text: &str) {
    let headers = Fields::from_list(&[("content-type".to_owned(), b"text/plain; charset=utf-8".to_vec())]);
    let response = OutgoingResponse::new(headers.expect("a valid field"));
    response.set_status_code(status).expect("a valid status");
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(response_out, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    for part in text.as_bytes().chunks(4096) {
        stream.blocking_write_and_flush(part).expect("the client reads");
    }
    drop(stream); // a body is finished when nobody can write to it
    OutgoingBody::finish(body, None).expect("the body is complete");
}

export!(Guestbook);
