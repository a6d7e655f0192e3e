"""A gRPC client that knows nothing but an address: the messages come by
reflection. And the standard reading of errors."""

import base64
import time
from dataclasses import dataclass

import grpc
import jwt
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status


@dataclass
class Refusal:
    """How a call was refused."""

    code: grpc.StatusCode
    reason: str
    fields: list[str]
    message: str


class Server:
    """The services at one address."""

    def __init__(self, address):
        self.address = address
        self.channel = grpc.insecure_channel(address)
        self.reflection = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = DescriptorPool(self.reflection)

    def method(self, path):
        """The descriptor of a method, as in `auth.v1.AuthService/GetJwks`."""
        service, name = path.split("/")
        return self.pool.FindServiceByName(service).methods_by_name[name]

    def request(self, path, **fields):
        return GetMessageClass(self.method(path).input_type)(**fields)

    def answer(self, path, data):
        return GetMessageClass(self.method(path).output_type).FromString(data)

    def start(self, path, metadata=None, timeout=10, **fields):
        """Starts a call, and gives its future."""
        call = self.channel.unary_unary(
            f"/{path}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=lambda data: self.answer(path, data),
        )
        request = self.request(path, **fields)
        return call.future(request, timeout, metadata=list((metadata or {}).items()))

    def call(self, path, metadata=None, timeout=10, **fields):
        return self.start(path, metadata, timeout, **fields).result()

    def refusal(self, path, metadata=None, timeout=10, **fields):
        """How a call is refused; it fails the test if it is not."""
        with pytest.raises(grpc.RpcError) as raised:
            self.call(path, metadata, timeout, **fields)
        status = rpc_status.from_call(raised.value)
        assert status is not None, f"no details: {raised.value}"
        return read_details(raised.value.code(), status)


def read_details(code, status):
    """The error details of a google.rpc.Status; there is always an ErrorInfo."""
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        for message in (info, bad_request):
            detail.Unpack(message)
    assert info.domain == "customauth"
    fields = [violation.field for violation in bad_request.field_violations]
    return Refusal(code, info.reason, fields, status.message)


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def service_token(key, typ="svc+jwt", algorithm="HS256", age=0, lifetime=60, **claims):
    """A service token, issued `age` seconds ago. `key` is in base64, as the
    data directory has it."""
    issued = int(time.time()) - age
    claims |= {"iat": issued, "exp": issued + lifetime}
    secret = None if algorithm == "none" else base64.b64decode(key)
    return jwt.encode(claims, secret, algorithm, {"typ": typ})
