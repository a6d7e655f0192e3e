"""What is fixed of the messages, as reflection tells it."""

import pytest

# The fields in the order of their numbers, from 1 on; "?" is `optional`.
# Further fields may follow.
MESSAGES = {
    "auth.v1.AuthService/RequestCode": (
        "phone_number invited_by?",
        "challenge_id expires_at code_length simulated_code?",
    ),
    "auth.v1.AuthService/VerifyCode": (
        "challenge_id? code",
        "access_token refresh_token access_token_expires_at user_id new_user",
    ),
    "auth.v1.AuthService/RefreshTokens": ("refresh_token", "access_token refresh_token"),
    "auth.v1.AuthService/SignOut": ("all?", ""),
    "auth.v1.AuthService/ListSessions": ("", ""),
    "auth.v1.AuthService/RevokeSession": ("", ""),
    "auth.v1.AuthService/DeleteUser": ("", ""),
    "auth.v1.AuthService/GetJwks": ("", ""),
    "auth.v1.SandboxService/ListMessages": ("", "messages"),
    "profile.v1.ProfileService/GetProfile": (
        "followers_page_size?",
        "user_id phone_number invite_code invited_by? created_at followers next_page_token",
    ),
    "profile.v1.ProfileService/ActivateInvite": ("invite_code", ""),
    "profile.v1.ProfileService/ListFollowers": ("page_size page_token", ""),
    "profile.v1.ProvisioningService/CreateProfile": ("user_id phone_number invited_by?", ""),
    "profile.v1.ProvisioningService/DeleteProfile": ("user_id", ""),
}


def fields(descriptor, count):
    def name(number):
        field = descriptor.fields_by_number[number]
        optional = field.has_presence and field.message_type is None
        return field.name + "?" * optional

    return " ".join(name(number) for number in range(1, count + 1))


@pytest.mark.parametrize("path", MESSAGES)
def test_fields_are_numbered_in_the_order_listed(auth, profile, path):
    server = auth if path.startswith("auth.") else profile
    method = server.method(path)
    for message, listed in zip((method.input_type, method.output_type), MESSAGES[path]):
        assert fields(message, len(listed.split())) == listed
