"""Chromium, driven by WebDriver's own requests (https://www.w3.org/TR/webdriver2/)."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

START = 20  # seconds, on a busy machine
PATIENCE = 30  # seconds for a request
PORT = re.compile(r"started successfully on port (\d+)")

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def program(name, package):
    """Where a program is; a browser that is missing is no reason to pass."""
    found = shutil.which(name)
    assert found, f"please install {name} (Debian's package {package})"
    return found


class Browser:
    """A Chromium with one page."""

    def __init__(self, port, chromium, folder):
        self.port = port
        self.session = None
        flags = [*FLAGS, f"--user-data-dir={folder}"]
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": chromium, "args": flags},
            "goog:loggingPrefs": {"performance": "ALL"},
        }
        begun = self.ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self.session = begun["sessionId"]

    def ask(self, method, command, fields=None):
        path = "/session" if self.session is None else f"/session/{self.session}{command}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            body = None if fields is None else json.dumps(fields)
            connection.request(method, path, body)
            answer = connection.getresponse()
            value = json.loads(answer.read())["value"]
        assert answer.status == 200, value["message"]
        return value

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def run(self, function, *arguments):
        """What a function of the page promises."""
        script = (
            "const done = arguments[arguments.length - 1];"
            f"window.{function}(...arguments[0]).then(done, (error) => done(String(error)));"
        )
        return self.ask("POST", "/execute/async", {"script": script, "args": [arguments]})

    def events(self):
        """What the browser has told of its network since it was last asked:
        names and parameters of Chrome's DevTools protocol."""
        entries = self.ask("POST", "/se/log", {"type": "performance"})
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        return [(message["method"], message["params"]) for message in messages]


@contextlib.contextmanager
def browsing():
    """A browser with a profile of its own. It has ended afterwards."""
    chromium = program("chromium", "chromium")
    driver = program("chromedriver", "chromium-driver")
    logs = Path(os.environ["OUTSIDE_LOGS"])
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "chromedriver.log"
    with tempfile.TemporaryDirectory(prefix="customauth-grpc-web-") as name, log.open("w") as output:
        process = subprocess.Popen(
            [driver, "--port=0"],
            # What Chromium leaves in a home goes with the folder.
            env={"PATH": os.environ["PATH"], "HOME": name, "TMPDIR": name},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            until = time.monotonic() + START
            while not (port := PORT.search(log.read_text())):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, "chromedriver names no port"
                time.sleep(0.02)
            browser = Browser(int(port[1]), chromium, f"{name}/profile")
            try:
                yield browser
            finally:
                browser.ask("DELETE", "")
        finally:
            # The browser is in its process group.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
