"""Makes schemathesis somebody who is signed in, and gives it codes, tokens and
ids that are really good: by chance it would never find one.

The address of the product comes by GATEWAY; SEEN is the file that tells in the
end which operation gave which statuses."""

import atexit
import collections
import itertools
import json
import os
import re
from pathlib import Path

import requests
import schemathesis

AUTHS = os.environ["GATEWAY"] + "/api/v1/auths/"
PROFILE = os.environ["GATEWAY"] + "/api/v1/personal-area/"

PHONES = (f"+7999{number:07}" for number in itertools.count(1))
# They end a session, or can be done once.
FOR_A_NEW_USER = {"sign_out", "revoke_session", "delete_user", "activate_invite"}
# A body that is described as it has to be is never called this.
MALFORMED = {"BODY_MALFORMED", "FIELD_INVALID", "CONTENT_TYPE_UNSUPPORTED"}


def send(method, url, **fields):
    # Without a session, whose cookies would name a challenge.
    answer = requests.request(method, url, timeout=20, **fields)
    answer.raise_for_status()
    return answer


def challenge():
    """A live challenge's id, and its code."""
    asked = send("POST", AUTHS, json={"phone_number": next(PHONES)})
    return asked.headers["Challenge-Id"], re.search(r"use (\d+)", asked.json()["response"])[1]


class User:
    """Somebody new, who has signed in."""

    def __init__(self):
        named, code = challenge()
        headers = {"Challenge-Id": named}
        tokens = send("PATCH", AUTHS, json={"otp": code}, headers=headers).json()
        self.refresh_token = tokens["refresh_token"]
        self.authorization = f"Bearer {tokens['access_token']}"


def see(url, authorization):
    return send("GET", url, headers={"Authorization": authorization}).json()


# By their Authorization.
users = {}
FRIEND = User()
INVITE_CODE = see(PROFILE, FRIEND.authorization)["invite_code"]


def operation_id(case):
    return case.operation.definition.raw["operationId"]


@schemathesis.auth(refresh_interval=None)
class SignedIn:
    def get(self, case, context):
        return User() if operation_id(case) in FOR_A_NEW_USER else FRIEND

    def set(self, case, user, context):
        case.headers["Authorization"] = user.authorization
        users[user.authorization] = user


turns = collections.Counter()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Every other request that is as it should be is also a good one."""
    name = operation_id(case)
    if not (case.meta and case.meta.generation.mode.is_positive):
        return
    turns[name] += 1
    if turns[name] % 2:
        return
    if name == "verify_code":
        case.headers["Challenge-Id"], code = challenge()
        case.body = {"otp": code}
    elif name == "refresh_tokens":
        case.body = {"refresh_token": User().refresh_token}
    elif name == "activate_invite":
        case.body = {"invited_by": INVITE_CODE}
    elif name == "revoke_session" and (user := users.get(case.headers.get("Authorization"))):
        sessions = see(f"{AUTHS}sessions/", user.authorization)["sessions"]
        case.path_parameters["id"] = sessions[0]["id"]


seen = collections.defaultdict(set)


@schemathesis.hook
def after_call(context, case, response):
    seen[operation_id(case)].add(response.status_code)


@atexit.register
def tell():
    statuses = {name: sorted(found) for name, found in seen.items()}
    Path(os.environ["SEEN"]).write_text(json.dumps(statuses))


@schemathesis.check
def not_called_malformed(context, response, case):
    if case.meta and case.meta.generation.mode.is_positive:
        (code,) = response.headers.get("error-code", [None])
        assert code not in MALFORMED, f"{code}: {response.text}"
