"""The product under test, and what nearly every test needs of it."""

import itertools
import signal
from dataclasses import dataclass

import pytest
from client import Server, bearer
from product import running

# So that whoever ends the tests ends the product too.
signal.signal(signal.SIGTERM, signal.default_int_handler)

PHONES = (f"+7777{number:07}" for number in itertools.count(1))


@pytest.fixture(scope="session")
def product():
    with running("product", "--auth-sms-delay-ms=0") as product:
        yield product


@pytest.fixture(scope="session")
def slow():
    """A product whose messages take two seconds."""
    with running("slow", "--auth-sms-delay-ms=2000") as product:
        yield product


@pytest.fixture(scope="session")
def auth(product):
    return Server(product.auth)


@pytest.fixture(scope="session")
def profile(product):
    return Server(product.profile)


@pytest.fixture
def phone():
    """A number that no other test has."""
    return next(PHONES)


@dataclass
class User:
    """Somebody who has signed in."""

    id: str
    phone: str
    token: str
    invite_code: str


@pytest.fixture
def sign_in(auth, profile):
    """Signs a new user in."""

    def sign_in(**fields):
        phone = next(PHONES)
        asked = auth.call("auth.v1.AuthService/RequestCode", phone_number=phone, **fields)
        answer = auth.call(
            "auth.v1.AuthService/VerifyCode",
            challenge_id=asked.challenge_id,
            code=asked.simulated_code,
        )
        token = answer.access_token
        own = profile.call("profile.v1.ProfileService/GetProfile", bearer(token))
        return User(answer.user_id, phone, token, own.invite_code)

    return sign_in
