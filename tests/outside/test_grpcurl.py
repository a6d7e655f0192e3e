"""grpcurl, which knows nothing but the address."""

import json
import re
import subprocess

import pytest

HEALTH = "grpc.health.v1.Health"
SERVICES = {
    # The product's delivery is simulated.
    "auth": {"auth.v1.AuthService", "auth.v1.SandboxService"},
    "profile": {"profile.v1.ProfileService", "profile.v1.ProvisioningService"},
}
# Some servers list the reflection that answers the question, and some do not.
REFLECTION = {
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
}
UNAUTHENTICATED = 64 + 16  # its exit status


def grpcurl(*arguments):
    return subprocess.run(
        ["grpcurl", "-plaintext", "-max-time", "10", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
    )


def output(*arguments):
    done = grpcurl(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def call(address, method, *flags, **fields):
    return json.loads(output("-d", json.dumps(fields), *flags, address, method))


def error(address, method, *flags, **fields):
    """The exit status, and the error as grpcurl decodes it."""
    done = grpcurl("-format-error", "-d", json.dumps(fields), *flags, address, method)
    return done.returncode, json.loads(done.stderr)


def error_info(reason):
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "domain": "customauth",
        "reason": reason,
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_port_lists_its_own_services(product, name):
    listed = set(output(getattr(product, name), "list").split())
    assert listed - REFLECTION == SERVICES[name] | {HEALTH}


@pytest.mark.parametrize("name", SERVICES)
def test_everything_is_described_with_a_comment(product, name):
    address = getattr(product, name)
    waiting, described = sorted(SERVICES[name]), set()
    while waiting:
        symbol = waiting.pop()
        text = output(address, "describe", symbol)
        described.add(symbol)
        mentioned = set(re.findall(r"\.((?:auth|profile)\.v1\.\w+)", text))
        waiting += mentioned - described - set(waiting)
        lines = text.splitlines()[1:]
        for above, line in zip(["", *lines], lines):
            if re.match(r"(service|message|enum) |  +rpc |.* = \d+;", line):
                assert above.lstrip().startswith("//"), f"{symbol}: {line}"
    # Service, request and answer at the least: the walk has walked.
    assert len(described) > 3 * len(SERVICES[name])


def test_sign_in_and_profile(product, phone):
    asked = call(product.auth, "auth.v1.AuthService/RequestCode", phone_number=phone)
    signed_in = call(
        product.auth,
        "auth.v1.AuthService/VerifyCode",
        challenge_id=asked["challengeId"],
        code=asked["simulatedCode"],
    )
    assert signed_in["newUser"] is True
    header = f"authorization: Bearer {signed_in['accessToken']}"
    own = call(product.profile, "profile.v1.ProfileService/GetProfile", "-H", header)
    assert own["userId"] == signed_in["userId"]
    assert own["phoneNumber"] == phone
    assert re.fullmatch("[0-9A-Za-z]{6}", own["inviteCode"])


def test_a_profile_needs_a_token(product):
    status, told = error(product.profile, "profile.v1.ProfileService/GetProfile")
    assert status == UNAUTHENTICATED
    assert told["code"] == 16
    assert told["details"] == [error_info("TOKEN_MISSING")]


def test_a_code_without_its_challenge_needs_a_service_token(product):
    status, told = error(product.auth, "auth.v1.AuthService/VerifyCode", code="1234")
    assert status == UNAUTHENTICATED
    assert told["details"] == [error_info("SERVICE_TOKEN_REQUIRED")]


def test_a_wrong_field_is_named(product):
    _, told = error(product.auth, "auth.v1.AuthService/RequestCode", phone_number="12")
    assert error_info("PHONE_NUMBER_INVALID") in told["details"]
    violations = [it["fieldViolations"] for it in told["details"] if "fieldViolations" in it]
    assert [it["field"] for it in violations[0]] == ["phone_number"]
