//! A wasi:http guest in Rust: it greets whom the path names.
//!
//! `GET /` is answered with "Hello from Rust", `GET /Ada` with "Hello Ada from Rust".

use exports::wasi::http::incoming_handler::{Guest, IncomingRequest, ResponseOutparam};
use wasi::http::types::{Fields, OutgoingBody, OutgoingResponse};

wit_bindgen::generate!({
    world: "example:hello-rust/hello",
    // Each package after those that it names; the world last.
    path: [
        "../../wit/wasi-io-0.2.12",
        "../../wit/wasi-clocks-0.2.12",
        "../../wit/wasi-random-0.2.12",
        "../../wit/wasi-filesystem-0.2.12",
        "../../wit/wasi-sockets-0.2.12",
        "../../wit/wasi-cli-0.2.12",
        "../../wit/wasi-http-0.2.12",
        "wit",
    ],
    generate_all,
});

struct Hello;

impl Guest for Hello {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let name = path.trim_start_matches('/').split('?').next().unwrap_or_default();
        let greeting = match name {
            "" => "Hello from Rust\n".to_owned(),
            name => format!("Hello {name} from Rust\n"),
        };

        let headers = Fields::from_list(&[("content-type".to_owned(), b"text/plain".to_vec())]).expect("a valid field");
        let response = OutgoingResponse::new(headers);
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(response_out, Ok(response));

        let stream = body.write().expect("the stream is taken once");
        for chunk in greeting.as_bytes().chunks(4096) {
            stream.blocking_write_and_flush(chunk).expect("the client reads");
        }
        drop(stream); // a body is finished when nobody can write to it
        OutgoingBody::finish(body, None).expect("the body is complete");
    }
}

export!(Hello);
