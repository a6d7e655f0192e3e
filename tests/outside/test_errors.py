"""Errors as the Python client's grpc_status reads them."""

import pytest
from client import bearer
from grpc import StatusCode

REQUEST_CODE = "auth.v1.AuthService/RequestCode"
VERIFY_CODE = "auth.v1.AuthService/VerifyCode"
GET_PROFILE = "profile.v1.ProfileService/GetProfile"
ACTIVATE_INVITE = "profile.v1.ProfileService/ActivateInvite"


@pytest.mark.parametrize("number", ["", "12", "77777777766", "+0123456789", "+7777777776a"])
def test_no_phone_number(auth, number):
    refusal = auth.refusal(REQUEST_CODE, phone_number=number)
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "PHONE_NUMBER_INVALID")
    assert refusal.fields == ["phone_number"]


@pytest.mark.parametrize("code", ["", "12a4", "٣٦١٣", "1" * 100])
def test_no_code(auth, phone, code):
    asked = auth.call(REQUEST_CODE, phone_number=phone)
    refusal = auth.refusal(VERIFY_CODE, challenge_id=asked.challenge_id, code=code)
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "CODE_MALFORMED")


def test_a_code_that_is_not_accepted_says_no_more(auth, phone):
    asked = auth.call(REQUEST_CODE, phone_number=phone)
    right = {"challenge_id": asked.challenge_id, "code": asked.simulated_code}
    wrong = {**right, "code": f"{(int(right['code']) + 1) % 10_000:04}"}
    refusals = [
        auth.refusal(VERIFY_CODE, **wrong),
        auth.refusal(VERIFY_CODE, **{**right, "challenge_id": "A" * len(asked.challenge_id)}),
        auth.refusal(VERIFY_CODE, **{**right, "challenge_id": "no such"}),
    ]
    auth.call(VERIFY_CODE, **right)
    refusals.append(auth.refusal(VERIFY_CODE, **right))
    assert refusals[0].code == StatusCode.FAILED_PRECONDITION
    assert refusals[0].reason == "CODE_NOT_ACCEPTED"
    assert all(refusal == refusals[0] for refusal in refusals)


def test_invite_codes(profile, sign_in):
    one, other = sign_in(), sign_in()

    def refused(user, code):
        refusal = profile.refusal(ACTIVATE_INVITE, bearer(user.token), invite_code=code)
        return refusal.code, refusal.reason

    not_found = StatusCode.NOT_FOUND, "INVITE_CODE_NOT_FOUND"
    assert refused(one, "2461") == not_found
    assert refused(one, one.invite_code) == (StatusCode.FAILED_PRECONDITION, "INVITE_CODE_OWN")
    profile.call(ACTIVATE_INVITE, bearer(one.token), invite_code=other.invite_code)
    already = StatusCode.FAILED_PRECONDITION, "INVITER_ALREADY_SET"
    assert refused(one, other.invite_code) == already
    assert refused(one, "2461") == not_found

    own = profile.call(GET_PROFILE, bearer(one.token))
    assert own.invited_by == other.invite_code
    assert profile.call(GET_PROFILE, bearer(other.token)).followers == [one.phone]


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, "TOKEN_MISSING"),
        ("Bearer", "TOKEN_INVALID"),
        ("Bearer x", "TOKEN_INVALID"),
        ("Basic YTpi", "TOKEN_INVALID"),
    ],
)
def test_no_access_token(profile, authorization, reason):
    metadata = {"authorization": authorization} if authorization else {}
    refusal = profile.refusal(GET_PROFILE, metadata)
    assert (refusal.code, refusal.reason) == (StatusCode.UNAUTHENTICATED, reason)
