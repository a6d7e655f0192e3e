"""gRPC-Web from a real browser: connect-web in Chromium, on a page of another
origin than the services."""

import functools
import os
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import google.rpc
import pytest
from browser import browsing
from client import bearer
from product import running

HERE = Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"
# A page as it might be at an app's own address.
PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
PAGE += '<title>A page</title><script src="bundle.js"></script>'


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The origin of a folder that is served with the page in it."""
    folder, source = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("source")
    modules = Path(os.environ["NODE_FOLDER"]) / "node_modules"
    protos = Path(next(iter(google.rpc.__path__))).parent.parent
    files = ["auth/v1/auth.proto", "profile/v1/profile.proto", "google/rpc/error_details.proto"]
    shutil.copy(HERE / "browser/page.js", source)
    (source / "node_modules").symlink_to(modules)
    generate = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", f"-I{protos}"]
    plugin = [f"--plugin={modules}/.bin/protoc-gen-es", f"--es_out={source}"]
    subprocess.run([*generate, *plugin, *files], check=True, timeout=60)
    bundle = [modules / ".bin/esbuild", source / "page.js", "--bundle", "--log-level=warning"]
    subprocess.run([*bundle, f"--outfile={folder}/bundle.js"], check=True, timeout=60)
    (folder / "index.html").write_text(PAGE)

    handler = functools.partial(Quiet, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and does not talk of it."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def browser(site):
    with browsing() as browser:
        browser.open(site)
        yield browser


@pytest.fixture
def call(browser):
    def call(address, path, headers=None, **fields):
        service, method = path.split("/")
        return browser.run("call", address, service, method, fields, headers or {})

    return call


def preflights(events):
    """What the browser asked for before it called: the headers, by URL."""
    asked = {
        params["requestId"]: params["request"]["url"]
        for name, params in events
        if name == "Network.requestWillBeSent" and params["request"]["method"] == "OPTIONS"
    }
    return {
        asked[params["requestId"]]: {key.lower(): it for key, it in params["headers"].items()}
        for name, params in events
        if name == "Network.requestWillBeSentExtraInfo" and params["requestId"] in asked
    }


def test_sign_in_and_profile(browser, site, product, call, phone):
    browser.events()
    challenge = call(product.auth, "AuthService/requestCode", phoneNumber=phone)["answer"]
    code = challenge["simulatedCode"]
    named = {"challengeId": challenge["challengeId"], "code": code}
    tokens = call(product.auth, "AuthService/verifyCode", **named)["answer"]
    assert tokens["newUser"] is True
    header = bearer(tokens["accessToken"])
    own = call(product.profile, "ProfileService/getProfile", header)["answer"]
    assert (own["userId"], own["phoneNumber"]) == (tokens["userId"], phone)

    events = browser.events()
    # It was the browser that asked whether a token may be sent.
    asked = preflights(events)[f"http://{product.profile}/profile.v1.ProfileService/GetProfile"]
    assert asked["origin"] == site
    assert asked["access-control-request-method"] == "POST"
    assert "authorization" in asked["access-control-request-headers"].split(",")
    # And nobody else was asked for anything.
    urls = [it["request"]["url"] for name, it in events if name == "Network.requestWillBeSent"]
    assert {urlsplit(url).netloc for url in urls} == {product.auth, product.profile}


def test_an_error_tells_its_reason(product, call):
    assert call(product.profile, "ProfileService/getProfile") == {
        "code": "Unauthenticated",
        "reasons": ["customauth: TOKEN_MISSING"],
        "fields": [],
    }
    assert call(product.profile, "ProfileService/getProfile", bearer("a.b.c"))["reasons"] == [
        "customauth: TOKEN_INVALID"
    ]
    assert call(product.auth, "AuthService/requestCode", phoneNumber="12") == {
        "code": "InvalidArgument",
        "reasons": ["customauth: PHONE_NUMBER_INVALID"],
        "fields": ["phone_number"],
    }


def test_the_origins_that_are_listed_may_call_and_no_others(site, call, phone):
    with running("origins", "--auth-sms-delay-ms=0", f"--cors-origins={site}") as ours:
        assert "answer" in call(ours.auth, "AuthService/requestCode", phoneNumber=phone)
        told = call(ours.profile, "ProfileService/getProfile", bearer("a.b.c"))
        assert told["reasons"] == ["customauth: TOKEN_INVALID"]
    other = "https://app.example"
    with running("origins", "--auth-sms-delay-ms=0", f"--cors-origins={other}") as theirs:
        told = call(theirs.auth, "AuthService/requestCode", phoneNumber=phone)
        # The page is told nothing but that it did not work.
        assert (told["code"], told["reasons"]) == ("Unknown", [])
