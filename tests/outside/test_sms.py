"""Real delivery to servers that know nothing of the product but the documents of
others: Twilio's form, and the Standard Webhooks scheme with its own library."""

import base64
import contextlib
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
import requests
from product import running
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
ACCOUNT, TOKEN = "AC" + 32 * "0", "an-auth-token"
SAID = {
    "response": "We will sent code to you in sms, you have 2 minutes to confirm your number!"
}
PATIENCE = 15  # seconds, on a busy machine


class Vendor(BaseHTTPRequestHandler):
    """Answers as its server's script says, the last for ever."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        script = self.server.script
        status, answer = script.pop(0) if len(script) > 1 else script[0]
        self.server.asked.append((self.path, self.headers, body))
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def vendor(*script):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    server.script, server.asked = list(script), []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def product(twilio, webhook):
    with running(
        "sms",
        "--auth-sms=twilio,webhook",
        f"--auth-sms-twilio-url={twilio.url}",
        f"--auth-sms-twilio-account={ACCOUNT}",
        f"--auth-sms-twilio-token={TOKEN}",
        "--auth-sms-twilio-from=+15005550006",
        f"--auth-sms-webhook-url={webhook.url}/send",
        f"--auth-sms-webhook-secret={SECRET}",
    ) as product:
        yield product


def asked(server, count):
    """What a server was asked, when it was so often."""
    until = time.monotonic() + PATIENCE
    while len(server.asked) < count:
        assert time.monotonic() < until, "it was not asked"
        time.sleep(0.02)
    return server.asked


def sign_in(product, phone, text_of_message):
    """Asks for a code, and enters the one in the message."""
    auths = f"http://{product.gateway}/api/v1/auths/"
    answer = requests.post(auths, json={"phone_number": phone}, timeout=PATIENCE)
    assert (answer.status_code, answer.json()) == (200, SAID)
    code = re.search(r"\b\d{4}\b", text_of_message())[0]
    entered = requests.patch(
        auths,
        json={"otp": code},
        headers={"Challenge-Id": answer.headers["Challenge-Id"]},
        timeout=PATIENCE,
    )
    assert entered.status_code == 200, entered.text


OK = (204, "")


def test_the_first_that_takes_a_message_has_it_alone(phone):
    with vendor((201, '{"sid": "SM1"}')) as twilio, vendor(OK) as webhook:

        def text():
            path, headers, body = asked(twilio, 1)[0]
            assert path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
            credentials = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
            assert headers["authorization"] == f"Basic {credentials}"
            form = {name: value for name, [value] in parse_qs(body.decode()).items()}
            assert form.keys() == {"To", "From", "Body", "ValidityPeriod"}
            assert (form["To"], form["From"]) == (phone, "+15005550006")
            return form["Body"]

        with product(twilio, webhook) as running:
            sign_in(running, phone, text)
        assert (len(twilio.asked), len(webhook.asked)) == (1, 0)


@pytest.mark.parametrize("again", [1, 2])
def test_the_next_one_gets_it_signed(phone, again):
    """`again`: so often the webhook is tried, by the same name."""
    busy = (503, '{"code": 20503, "status": 503}')
    script = [(503, "")] * (again - 1) + [OK]
    with vendor(busy) as twilio, vendor(*script) as webhook:

        def text():
            ids = set()
            for path, headers, body in asked(webhook, again):
                assert path == "/send"
                message = Webhook(SECRET).verify(body, dict(headers))
                ids |= {message["id"], headers["webhook-id"], headers["idempotency-key"]}
                assert message["to"] == phone
                assert time.time() < message["expires_at"] <= time.time() + 120
                assert message["answer_by"] < message["expires_at"]
            assert len(ids) == 1
            return message["text"]

        with product(twilio, webhook) as running:
            sign_in(running, phone, text)
        assert len(webhook.asked) == again

        _, headers, body = webhook.asked[0]
        for secret, signed in [
            (SECRET, body.replace(b"+7", b"+8")),
            ("whsec_" + base64.b64encode(bytes(32)).decode(), body),
        ]:
            with pytest.raises(WebhookVerificationError):
                Webhook(secret).verify(signed, dict(headers))


def test_what_became_of_it_is_in_the_log(phone):
    invalid = {"code": 21211, "message": f"The 'To' number {phone} is not valid", "status": 400}
    with vendor((400, json.dumps(invalid))) as twilio, vendor(OK) as webhook:
        with product(twilio, webhook) as running:
            sign_in(
                running, phone, lambda: json.loads(asked(webhook, 1)[0][2])["text"]
            )
            log = running.output.with_suffix(".log")
        lines = log.read_text().splitlines()
        told = [line for line in lines if 'event="sms"' in line]
        assert ['outcome="queued"' in told[0], 'outcome="delivered"' in told[1]] == [True, True]
        assert 'provider="webhook"' in told[1] and "attempts=2" in told[1]
        assert any("error 21211" in line for line in lines)
        assert not any(phone.removeprefix("+") in line for line in lines)
