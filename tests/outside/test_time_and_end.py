"""Deadlines, and the end of the process while it is at work."""

import http.client
import json
import socket
import threading
import time

import grpc
import pytest
from client import Server
from grpc_health.v1 import health_pb2, health_pb2_grpc
from product import END, running

REQUEST_CODE = "auth.v1.AuthService/RequestCode"


def test_a_call_ends_at_its_deadline(slow, phone):
    server = Server(slow.auth)
    # Reflection has been asked before the clock starts.
    server.method(REQUEST_CODE)
    started = time.monotonic()
    with pytest.raises(grpc.RpcError) as raised:
        server.call(REQUEST_CODE, timeout=0.05, phone_number=phone)
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 1


def sign_in_over_http(address, phone, answers):
    connection = http.client.HTTPConnection(address, timeout=END)
    body = json.dumps({"phone_number": phone})
    connection.request("POST", "/api/v1/auths/", body, {"Content-Type": "application/json"})
    answers.append(connection.getresponse().status)


def refuses(address):
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_what_is_in_flight_is_answered_at_the_end():
    with running("ending", "--auth-sms-delay-ms=1500") as product:
        server = Server(product.auth)
        # Neither an idle connection nor a watcher may hold up the end.
        idle = http.client.HTTPConnection(product.gateway, timeout=END)
        idle.request("GET", "/livez")
        assert idle.getresponse().read() is not None
        watch = health_pb2_grpc.HealthStub(server.channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING

        call = server.start(REQUEST_CODE, phone_number="+77777777766")
        answers = []
        request = threading.Thread(
            target=sign_in_over_http, args=(product.gateway, "+77777777767", answers)
        )
        request.start()
        # They need a moment to arrive; they take 1.5 s there.
        time.sleep(0.5)
        assert not call.done() and not answers
        started = time.monotonic()
        product.process.terminate()
        while not refuses(product.gateway):
            assert not call.done()
            time.sleep(0.02)

        assert call.result().challenge_id
        request.join(END)
        assert answers == [200]
        assert product.process.wait(END) == 0
        assert time.monotonic() - started < END
