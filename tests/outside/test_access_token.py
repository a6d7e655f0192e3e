"""Access tokens, verified by PyJWT with nothing but the published keys."""

import base64
import hashlib
import json
import urllib.request
import uuid

import jwt
import pytest
from client import bearer

GET_PROFILE = "profile.v1.ProfileService/GetProfile"
CLAIMS = {"iss", "aud", "sub", "sid", "phone_number", "iat", "exp", "jti"}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture
def jwks_url(product):
    return f"http://{product.gateway}/.well-known/jwks.json"


@pytest.fixture
def verify(jwks_url):
    client = jwt.PyJWKClient(jwks_url)

    def verify(token, audience="customauth", issuer="customauth"):
        return jwt.decode(
            token,
            client.get_signing_key_from_jwt(token),
            algorithms=["EdDSA"],
            audience=audience,
            issuer=issuer,
            options={"require": sorted(CLAIMS)},
        )

    return verify


def test_the_published_keys_verify_it(verify, sign_in):
    user = sign_in()
    claims = verify(user.token)
    assert set(claims) == CLAIMS
    assert (claims["iss"], claims["aud"]) == ("customauth", "customauth")
    assert (claims["sub"], claims["phone_number"]) == (user.id, user.phone)
    assert uuid.UUID(claims["sub"]).version == 7
    assert claims["exp"] - claims["iat"] == 600
    header = jwt.get_unverified_header(user.token)
    assert (header["alg"], header["typ"]) == ("EdDSA", "at+jwt")


def test_it_is_for_its_audience_alone(verify, sign_in):
    token = sign_in().token
    with pytest.raises(jwt.InvalidAudienceError):
        verify(token, audience="other")
    with pytest.raises(jwt.InvalidIssuerError):
        verify(token, issuer="other")


def test_whoever_changes_it_is_found_out(verify, sign_in, profile):
    header, payload, signature = sign_in().token.split(".")
    other = json.loads(base64.urlsafe_b64decode(payload + "=="))
    other["sub"] = str(uuid.uuid4())
    changed = base64url(json.dumps(other).encode())
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    for token in (f"{header}.{changed}.{signature}", f"{header}.{payload}.{flipped}"):
        with pytest.raises(jwt.InvalidSignatureError):
            verify(token)
        assert profile.refusal(GET_PROFILE, bearer(token)).reason == "TOKEN_INVALID"


def test_only_public_keys_are_published(auth, jwks_url, sign_in):
    with urllib.request.urlopen(jwks_url, timeout=5) as answer:
        keys = json.load(answer)["keys"]
    for key in keys:
        assert set(key) == {"kty", "crv", "kid", "x", "alg", "use"}
        assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
        # RFC 7638: these members, in this order, without spaces.
        text = '{"crv":"Ed25519","kty":"OKP","x":"%s"}' % key["x"]
        assert key["kid"] == base64url(hashlib.sha256(text.encode()).digest())
    # The first one signs.
    assert jwt.get_unverified_header(sign_in().token)["kid"] == keys[0]["kid"]

    def plain(key):
        return {field.name: value for field, value in key.ListFields()}

    assert [plain(key) for key in auth.call("auth.v1.AuthService/GetJwks").keys] == keys
