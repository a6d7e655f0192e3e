"""grpc.health.v1 as the standard Python client asks it."""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVING = health_pb2.HealthCheckResponse.SERVING
NAMES = [
    ("auth", ""),
    ("auth", "auth.v1.AuthService"),
    ("profile", ""),
    ("profile", "profile.v1.ProfileService"),
    ("profile", "profile.v1.ProvisioningService"),
]


@pytest.fixture
def health(auth, profile):
    def stub(name):
        server = {"auth": auth, "profile": profile}[name]
        return health_pb2_grpc.HealthStub(server.channel)

    return stub


def asked(service):
    return health_pb2.HealthCheckRequest(service=service)


@pytest.mark.parametrize(("server", "service"), NAMES)
def test_what_is_here_serves(health, server, service):
    assert health(server).Check(asked(service), timeout=5).status == SERVING


@pytest.mark.parametrize(("server", "service"), NAMES)
def test_watch_tells_at_once(health, server, service):
    watch = health(server).Watch(asked(service), timeout=5)
    assert next(watch).status == SERVING
    watch.cancel()


@pytest.mark.parametrize(
    ("server", "service"),
    [
        ("auth", "x.v1.Unknown"),
        ("auth", "profile.v1.ProfileService"),
        ("profile", "auth.v1.AuthService"),
    ],
)
def test_what_is_not_here_is_not_found(health, server, service):
    with pytest.raises(grpc.RpcError) as raised:
        health(server).Check(asked(service), timeout=5)
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
    # Watched, it may still come: the protocol's own words.
    watch = health(server).Watch(asked(service), timeout=5)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()
