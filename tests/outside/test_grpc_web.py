"""gRPC-Web as a browser speaks it: HTTP/1.1, frames made by hand."""

import base64
import http.client
import struct
import time
from dataclasses import dataclass

import pytest
from client import Server, bearer, read_details
from google.rpc.status_pb2 import Status

REQUEST_CODE = "auth.v1.AuthService/RequestCode"
GET_PROFILE = "profile.v1.ProfileService/GetProfile"
ORIGIN = "https://app.example"
BINARY, TEXT = "application/grpc-web+proto", "application/grpc-web-text"
TRAILERS = 0x80


@dataclass
class Answer:
    """An answer, taken apart."""

    status: int
    headers: http.client.HTTPMessage
    messages: list[bytes]
    trailers: dict[str, str]

    def refusal(self):
        """The error details. Their base64 comes without padding."""
        encoded = self.trailers["grpc-status-details-bin"]
        status = Status.FromString(base64.b64decode(encoded + "=" * (-len(encoded) % 4)))
        assert str(status.code) == self.trailers["grpc-status"]
        return read_details(status.code, status)


def exchange(address, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request(method, f"/{path}", body, {"Origin": ORIGIN} | (headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def post(server, path, headers=None, kind=BINARY, **fields):
    """Makes a call of a browser's."""
    message = server.request(path, **fields).SerializeToString()
    body = struct.pack(">BI", 0, len(message)) + message
    body = base64.b64encode(body) if kind == TEXT else body
    headers = {"Content-Type": kind, "Accept": kind, "X-Grpc-Web": "1"} | (headers or {})
    status, headers, body = exchange(server.address, "POST", path, body, headers)
    if kind == TEXT:
        # A piece at a time: every flush may be padded for itself.
        body = b"".join(base64.b64decode(body[at : at + 4]) for at in range(0, len(body), 4))

    messages = []
    # An answer that is an error and nothing else may have its trailers among
    # the headers.
    trailers = {name: value for name, value in headers.items() if name.startswith("grpc-")}
    while body:
        flags, length = struct.unpack(">BI", body[:5])
        payload, body = body[5 : 5 + length], body[5 + length :]
        assert len(payload) == length
        if flags == TRAILERS:
            pairs = (line.split(":", 1) for line in payload.decode().splitlines())
            trailers |= {name: value.strip() for name, value in pairs}
            assert not body, "the trailers come last"
        else:
            messages.append(payload)
    return Answer(status, headers, messages, trailers)


def names(headers, name):
    return {part.strip().lower() for part in headers.get(name, "").split(",")}


@pytest.mark.parametrize(("server", "path"), [("auth", REQUEST_CODE), ("profile", GET_PROFILE)])
def test_a_page_may_ask(product, server, path):
    wanted = {"authorization", "content-type", "x-grpc-web", "x-user-agent", "grpc-timeout"}
    status, headers, _ = exchange(
        getattr(product, server),
        "OPTIONS",
        path,
        headers={
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": ",".join(sorted(wanted)),
        },
    )
    assert status in (200, 204)
    assert headers["access-control-allow-origin"] in ("*", ORIGIN)
    assert "post" in names(headers, "access-control-allow-methods")
    # By name: "*" leaves Authorization out (the Fetch standard).
    assert wanted <= names(headers, "access-control-allow-headers")
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize("kind", [BINARY, TEXT])
def test_calls_to_both_services(auth, profile, sign_in, phone, kind):
    answer = post(auth, REQUEST_CODE, kind=kind, phone_number=phone)
    assert (answer.status, answer.trailers["grpc-status"]) == (200, "0")
    assert answer.headers["content-type"].startswith(kind.removesuffix("+proto"))
    (message,) = answer.messages
    assert auth.answer(REQUEST_CODE, message).challenge_id
    assert answer.headers["access-control-allow-origin"] in ("*", ORIGIN)
    exposed = names(answer.headers, "access-control-expose-headers")
    assert {"grpc-status", "grpc-message", "grpc-status-details-bin"} <= exposed

    user = sign_in()
    answer = post(profile, GET_PROFILE, bearer(user.token), kind)
    assert (answer.status, answer.trailers["grpc-status"]) == (200, "0")
    (message,) = answer.messages
    assert profile.answer(GET_PROFILE, message).phone_number == user.phone


@pytest.mark.parametrize("kind", [BINARY, TEXT])
def test_an_error(profile, kind):
    answer = post(profile, GET_PROFILE, kind=kind)
    assert (answer.status, answer.trailers["grpc-status"]) == (200, "16")
    assert answer.messages == []
    assert answer.refusal().reason == "TOKEN_MISSING"
    assert "grpc-status" in names(answer.headers, "access-control-expose-headers")


def test_the_server_keeps_the_deadline(slow, phone):
    """By hand, since a gRPC client gives up by its own clock too."""
    server, started = Server(slow.auth), time.monotonic()
    answer = post(server, REQUEST_CODE, {"Grpc-Timeout": "50m"}, phone_number=phone)
    assert time.monotonic() - started < 1
    assert answer.trailers["grpc-status"] == "4"
    assert answer.refusal().reason == "DEADLINE_EXCEEDED"
