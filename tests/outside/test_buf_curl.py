"""buf curl: reflection v1 (grpcurl asks by v1alpha), and another client of
gRPC-Web, over HTTP/2."""

import json
import subprocess

import pytest

pytestmark = pytest.mark.parametrize("protocol", ["grpc", "grpcweb"])


def curl(protocol, address, path, header="x: y", **fields):
    flags = ["--protocol", protocol, "--http2-prior-knowledge", "--reflect-protocol", "grpc-v1"]
    url = f"http://{address}/{path}"
    command = ["buf", "curl", *flags, "--header", header, "--data", json.dumps(fields), url]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_calls_to_both_services(product, sign_in, phone, protocol):
    asked = curl(protocol, product.auth, "auth.v1.AuthService/RequestCode", phone_number=phone)
    assert json.loads(asked.stdout)["challengeId"]
    user = sign_in()
    header = f"authorization: Bearer {user.token}"
    own = curl(protocol, product.profile, "profile.v1.ProfileService/GetProfile", header)
    assert json.loads(own.stdout)["phoneNumber"] == user.phone


def test_an_error(product, protocol):
    done = curl(protocol, product.profile, "profile.v1.ProfileService/GetProfile")
    assert done.returncode != 0
    told = json.loads(done.stderr)
    assert told["code"] == "unauthenticated"
    assert [detail["type"] for detail in told["details"]] == ["google.rpc.ErrorInfo"]
