"""wasi:http/types messages that guests build: what they accept, and what a backend gets of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwasr.errors import GuestTrap
from qwasr.values import Err, Ok, Variant, WitError
from qwasr_http.bodies import IncomingBody, OutgoingBody
from qwasr_http.codes import ERROR_KIND, describe, internal_error, status_of
from qwasr_http.fields import Fields
from qwasr_http.host import Types
from qwasr_http.messages import OutgoingRequest, OutgoingResponse, RequestOptions
from qwasr_http.protocol import FixedPayload
from qwasr_http.sinks import BUFFER_BYTES
from qwasr_http.sources import PayloadSource
from qwasr_wasi.streams import IoError


def outgoing(**headers: str) -> OutgoingRequest:
    fields = Fields.from_list([(name.replace("_", "-"), value.encode()) for name, value in headers.items()])
    request = OutgoingRequest(fields)
    request.set_authority("example.org")
    return request


def code_of(request: OutgoingRequest) -> Variant:
    with pytest.raises(WitError) as found:
        request.to_client(None)
    code: Variant = found.value.value
    return code


def test_a_request_is_a_get_over_https_unless_said() -> None:
    sent = outgoing().to_client(None)
    assert (sent.method, sent.scheme, sent.authority, sent.path_with_query) == ("GET", "https", "example.org", "/")
    assert sent.body is None


@pytest.mark.parametrize(
    ("method", "name"), [(Variant("post"), "POST"), (Variant("other", "PURGE"), "PURGE"), (Variant("other", "x"), "x")]
)
def test_a_method_is_sent_as_it_was_set(method: Variant, name: str) -> None:
    request = outgoing()
    request.set_method(method)
    assert request.method() == method
    assert request.to_client(None).method == name


@pytest.mark.parametrize("name", ["", "a b", "a\r\nb", "ü"])
def test_a_method_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(WitError):
        outgoing().set_method(Variant("other", name))


def test_connect_is_no_method_for_a_guest() -> None:
    request = outgoing()
    request.set_method(Variant("connect"))
    assert code_of(request) == Variant("HTTP-request-method-invalid")


@pytest.mark.parametrize("scheme", [Variant("other", "ftp"), Variant("other", "http")])
def test_a_scheme_of_another_kind_cannot_be_sent(scheme: Variant) -> None:
    request = outgoing()
    request.set_scheme(scheme)
    assert code_of(request) == Variant("HTTP-request-URI-invalid")


def test_a_scheme_that_is_none_is_refused() -> None:
    with pytest.raises(WitError):
        outgoing().set_scheme(Variant("other", "a b"))


def test_a_request_needs_an_authority() -> None:
    assert code_of(OutgoingRequest(Fields())) == Variant("HTTP-request-URI-invalid")


@pytest.mark.parametrize("authority", ["example.org", "example.org:8080", "127.0.0.1", "[::1]:80", "under_score.test"])
def test_an_authority_is_a_host_and_perhaps_a_port(authority: str) -> None:
    request = outgoing()
    request.set_authority(authority)
    assert request.authority() == authority


@pytest.mark.parametrize("authority", ["", "user@example.org", "a b", "a/b", "a:b", "ü.test", "a%41", "a\r\nb", "[x]"])
def test_an_authority_that_is_none_is_refused(authority: str) -> None:
    with pytest.raises(WitError):
        outgoing().set_authority(authority)


@pytest.mark.parametrize(("given_path", "sent"), [(None, "/"), ("", "/"), ("?q", "/?q"), ("/a?b", "/a?b"), ("*", "*")])
def test_a_path_that_is_left_out_is_the_root(given_path: str | None, sent: str) -> None:
    request = outgoing()
    request.set_path_with_query(given_path)
    assert request.path_with_query() == given_path
    assert request.to_client(None).path_with_query == sent


@given(st.text(max_size=20))
def test_a_path_cannot_end_its_line_or_begin_a_fragment(path: str) -> None:
    request = outgoing()
    try:
        request.set_path_with_query(path)
    except WitError:
        return
    assert not set(path) & set("#\r\n \t\0")
    assert path.isascii()


def test_a_path_that_is_too_long_is_refused_and_not_kept() -> None:
    request = outgoing()
    request.set_path_with_query("/" + "a" * 8191)
    with pytest.raises(WitError):
        request.set_path_with_query("/" + "b" * 8192)
    assert request.to_client(None).path_with_query == "/" + "a" * 8191


def test_an_authority_is_not_longer_than_a_name_can_be() -> None:
    request = outgoing()
    request.set_authority("a" * 253 + ":65535")
    with pytest.raises(WitError):
        request.set_authority("a" * 254)


def test_headers_of_a_request_cannot_be_changed_any_more() -> None:
    request = outgoing(x="1")
    with pytest.raises(WitError):
        request.headers().append("x", b"2")
    assert request.headers().get("x") == [b"1"]


def test_timeouts_are_nanoseconds_for_guests_and_seconds_for_backends() -> None:
    options = RequestOptions()
    assert options.connect_timeout() is None
    options.set_connect_timeout(1_500_000_000)
    options.set_first_byte_timeout(0)
    sent = outgoing().to_client(options)
    assert sent.connect_timeout_s == 1.5
    assert sent.first_byte_timeout_s is not None
    assert 0 < sent.first_byte_timeout_s < 0.001
    assert sent.between_bytes_timeout_s is None


def test_a_body_is_given_out_once() -> None:
    request, response = outgoing(), OutgoingResponse(Fields())
    for body in (request.body(), response.body()):
        body.write()
        with pytest.raises(WitError):
            body.write()
    with pytest.raises(WitError):
        request.body()
    with pytest.raises(WitError):
        response.body()


@pytest.mark.parametrize("length", ["", "-1", "x", "1 ", "0x1", "1" * 30])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(WitError):
        outgoing(content_length=length).body()
    assert code_of(outgoing(content_length=length)) == Variant("HTTP-request-body-size")


def test_a_length_without_a_body_is_refused() -> None:
    assert code_of(outgoing(content_length="1")) == Variant("HTTP-request-body-size", 0)
    assert outgoing(content_length="0").to_client(None).headers == []


def test_more_bytes_than_announced_fail_the_stream() -> None:
    body = outgoing(content_length="4").body()
    stream = body.write()
    stream.write(b"four")
    with pytest.raises(WitError) as found:
        stream.write(b"!")
    assert found.value.value.case == "last-operation-failed"
    assert Types.http_error_code(None, found.value.value.value) == Variant("HTTP-request-body-size", 5)  # type: ignore[arg-type]


def test_fewer_bytes_than_announced_fail_the_end() -> None:
    request = outgoing(content_length="4")
    body = request.body()
    request.to_client(None)
    stream = body.write()
    stream.write(b"two")
    stream.drop()
    with pytest.raises(WitError) as found:
        OutgoingBody.finish(body, None)
    assert found.value.value == Variant("HTTP-request-body-size", 3)


def test_finishing_a_body_whose_stream_is_still_there_is_a_trap() -> None:
    body = outgoing().body()
    body.write()
    with pytest.raises(GuestTrap):
        OutgoingBody.finish(body, None)


def test_a_body_that_no_one_takes_holds_64_kib() -> None:
    stream = outgoing().body().write()
    assert stream.check_write() == BUFFER_BYTES
    stream.write(bytes(BUFFER_BYTES))
    assert stream.check_write() == 0
    assert not stream.ready()


@pytest.mark.parametrize("status", [0, 99, 100, 101, 199, 1000, 65535])
def test_a_status_that_ends_no_exchange_is_refused(status: int) -> None:
    with pytest.raises(WitError):
        OutgoingResponse(Fields()).set_status_code(status)


def test_a_status_is_200_unless_set() -> None:
    response = OutgoingResponse(Fields())
    assert response.status_code() == 200
    response.set_status_code(418)
    assert response.status_code() == 418


def test_an_incoming_body_gives_its_stream_once_and_its_trailers_once() -> None:
    body = IncomingBody(PayloadSource(FixedPayload(b"data"), lambda _: internal_error()))
    stream = body.stream()
    with pytest.raises(WitError):
        body.stream()
    assert stream.read(2) == b"da"
    stream.drop()
    trailers = IncomingBody.finish(body)
    assert trailers.subscribe().ready()
    assert trailers.get() == Ok(Ok(None))
    assert trailers.get() == Err()


def test_finishing_an_incoming_body_whose_stream_is_still_there_is_a_trap() -> None:
    body = IncomingBody(PayloadSource(FixedPayload(b"data"), lambda _: internal_error()))
    body.stream()
    with pytest.raises(GuestTrap):
        IncomingBody.finish(body)


def test_only_errors_of_bodies_have_an_http_error_code() -> None:
    code = internal_error("why")
    assert Types.http_error_code(None, IoError("m", kind=ERROR_KIND, code=code)) is code  # type: ignore[arg-type]
    assert Types.http_error_code(None, IoError("m", kind="wasi:filesystem/types", code="exist")) is None  # type: ignore[arg-type]


def test_every_error_code_has_a_status() -> None:
    assert status_of(Variant("HTTP-request-denied")) == 403
    assert status_of(Variant("DNS-timeout")) == 504
    assert status_of(internal_error()) == 500


@pytest.mark.parametrize("text", ["a\n2026-01-01T00:00:00Z INFO forged", "\x1b[2J", "a" * 10_000_000])
def test_what_a_guest_says_of_its_error_is_one_short_line_in_the_log(text: str) -> None:
    shown = describe(internal_error(text))
    assert shown.isprintable()
    assert len(shown) < 1000
    assert describe(internal_error("the shelf is empty")) == "internal-error: the shelf is empty"
