"""Service tokens made by PyJWT: who may call what."""

import uuid

import pytest
from client import bearer, service_token
from grpc import StatusCode

CREATE = "profile.v1.ProvisioningService/CreateProfile"
GET_PROFILE = "profile.v1.ProfileService/GetProfile"
REQUEST_CODE = "auth.v1.AuthService/RequestCode"
VERIFY_CODE = "auth.v1.AuthService/VerifyCode"
# Known to nobody, and none at all in base64.
OTHER_KEY = "A" * 43 + "="


@pytest.fixture
def to_profile(product):
    """Makes tokens by which auth-service calls profile-service."""

    def make(key="service-key", **changes):
        key = OTHER_KEY if key is None else product.key(key)
        claims = {"iss": "auth-service", "aud": "profile-service"} | changes
        return service_token(key, **claims)

    return make


@pytest.fixture
def to_auth(product):
    """Makes tokens by which the gateway calls auth-service."""

    def make(key="gateway-key", **changes):
        claims = {"iss": "gateway", "aud": "auth-service"} | changes
        return service_token(product.key(key), **claims)

    return make


def assert_refused(server, path, token, **fields):
    metadata = {} if token is None else {"x-service-token": token}
    refusal = server.refusal(path, metadata, **fields)
    assert refusal.reason == "SERVICE_TOKEN_REQUIRED"
    assert refusal.code in (StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED)


def new_profile(phone):
    return {"user_id": str(uuid.uuid4()), "phone_number": phone}


def test_a_profile_is_made_once(profile, to_profile, sign_in, phone):
    inviter = sign_in()
    fields = new_profile(phone) | {"invited_by": inviter.invite_code}
    metadata = {"x-service-token": to_profile()}
    assert profile.call(CREATE, metadata, **fields).created is True
    assert profile.call(CREATE, metadata, **fields).created is False
    followers = profile.call(GET_PROFILE, bearer(inviter.token)).followers
    assert followers == [phone]


@pytest.mark.parametrize("age", [-20, 0, 60, 80])
def test_clocks_may_differ_a_little(profile, to_profile, phone, age):
    metadata = {"x-service-token": to_profile(age=age)}
    assert profile.call(CREATE, metadata, **new_profile(phone)).created is True


@pytest.mark.parametrize(
    "changes",
    [
        {"key": None},
        {"key": "gateway-key"},
        {"key": "code-pepper"},
        {"aud": "auth-service"},
        {"typ": "JWT"},
        {"typ": "at+jwt"},
        {"typ": None},
        {"algorithm": "none"},
        # PyJWT warns that the key is short for it.
        pytest.param({"algorithm": "HS512"}, marks=pytest.mark.filterwarnings("ignore")),
        {"age": 95},
        {"age": -45},
        {"lifetime": 90},
        {"lifetime": 10**9},
    ],
    ids=str,
)
def test_a_bad_service_token_is_refused(profile, to_profile, phone, changes):
    assert_refused(profile, CREATE, to_profile(**changes), **new_profile(phone))


@pytest.mark.parametrize("token", [None, "", "x", "a.b.c"])
def test_no_service_token_is_refused(profile, phone, token):
    assert_refused(profile, CREATE, token, **new_profile(phone))


def test_a_users_token_is_no_services_token(auth, profile, sign_in, phone):
    token = sign_in().token
    assert_refused(profile, CREATE, token, **new_profile(phone))
    assert_refused(auth, VERIFY_CODE, token, code="1234")


@pytest.mark.parametrize("typ", ["svc+jwt", "at+jwt"])
def test_a_services_token_is_no_users_token(profile, to_profile, sign_in, typ):
    user = sign_in()
    token = to_profile(typ=typ, sub=user.id, phone_number=user.phone)
    refusal = profile.refusal(GET_PROFILE, bearer(token))
    assert (refusal.code, refusal.reason) == (StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")


def test_a_service_may_speak_for_a_client(auth, to_auth, phone):
    metadata = {"x-service-token": to_auth()}
    client = {"client_address": "192.0.2.7"}
    asked = auth.call(REQUEST_CODE, metadata, phone_number=phone, **client)
    answer = auth.call(VERIFY_CODE, metadata, code=asked.simulated_code, **client)
    assert answer.new_user


def test_nobody_else_may(auth, to_auth, phone):
    wrong_key = to_auth(key="service-key")
    asked = auth.call(REQUEST_CODE, phone_number=phone)
    for token in (None, wrong_key):
        named = {"phone_number": phone, "client_address": "192.0.2.7"}
        assert_refused(auth, REQUEST_CODE, token, **named)
        assert_refused(auth, VERIFY_CODE, token, code=asked.simulated_code)
