// The files of examples/blobstore in JavaScript: PUT, GET and DELETE /<name>, and GET / for their names.
import { createContainer, getContainer } from "wasi:blobstore/blobstore@0.2.0-draft";
import { IncomingValue, OutgoingValue } from "wasi:blobstore/types@0.2.0-draft";
import { Fields, OutgoingBody, OutgoingResponse, ResponseOutparam } from "wasi:http/types@0.2.12";

const END = 2n ** 64n - 1n; // an end behind the object's is the object's
const drop = (resource) => resource[Symbol.dispose]();

export const incomingHandler = {
  handle(request, responseOut) {
    const method = request.method().tag;
    const name = (request.pathWithQuery() ?? "/").slice(1);
    const files = openContainer("files");
    if (method === "put") {
      store(files, name, request);
      send(responseOut, 200);
    } else if (method === "delete") {
      files.deleteObject(name);
      send(responseOut, 200);
    } else if (method === "get" && name === "") {
      const [names] = files.listObjects().readStreamObjectNames(1000n);
      send(responseOut, 200, (sink) => write(sink, names.map((each) => `${each}\n`).join("")));
    } else if (method === "get" && files.hasObject(name)) {
      const source = IncomingValue.incomingValueConsumeAsync(files.getData(name, 0n, END));
      send(responseOut, 200, (sink) => carry(source, sink));
    } else {
      send(responseOut, 404);
    }
  },
};

// The container, made when there is none.
function openContainer(name) {
  try {
    return createContainer(name);
  } catch {
    return getContainer(name);
  }
}

// The body of the request becomes an object, which is visible when it is finished, whole.
function store(files, name, request) {
  const value = OutgoingValue.newOutgoingValue();
  files.writeData(name, value);
  const body = request.consume();
  const source = body.stream();
  const sink = value.outgoingValueWriteBody();
  carry(source, sink);
  drop(source);
  drop(sink);
  OutgoingValue.finish(value);
}

// Has the host carry all bytes from one stream to the other; none of them enters the guest.
function carry(source, sink) {
  try {
    for (;;) sink.blockingSplice(source, 1n << 20n);
  } catch (error) {
    if (error.payload?.tag !== "closed") throw error;
  }
}

function write(sink, text) {
  const content = new TextEncoder().encode(text);
  // the most that one blocking write may carry
  for (let start = 0; start < content.length; start += 4096) {
    sink.blockingWriteAndFlush(content.subarray(start, start + 4096));
  }
}

function send(responseOut, status, writeTo = () => {}) {
  const response = new OutgoingResponse(new Fields());
  response.setStatusCode(status);
  const body = response.body();
  ResponseOutparam.set(responseOut, { tag: "ok", val: response });
  const sink = body.write();
  writeTo(sink);
  drop(sink); // a body is finished when nobody can write to it
  OutgoingBody.finish(body, undefined);
}
