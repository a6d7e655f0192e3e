"""Starts and ends the program under test."""

import contextlib
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

START = 20  # seconds, on a busy machine
END = 10  # seconds, the promise

ADDRESSES = re.compile(
    r"HTTP/JSON +http://(?P<gateway>\S+)\s+"
    r"auth-service +(?P<auth>\S+) \(gRPC\)\s+"
    r"profile-service +(?P<profile>\S+) \(gRPC\)\n"
)


# Free ports, whichever.
ANYWHERE = [f"--{it}-listen=127.0.0.1:0" for it in ("gateway", "auth", "profile")]


class Product:
    """A running `customauth`: its addresses are `gateway`, `auth`, `profile`."""

    def __init__(self, process, data, output):
        self.process = process
        self.data = data
        self.output = output
        self.gateway = self.auth = self.profile = None

    def wait_until_ready(self):
        until = time.monotonic() + START
        while not (found := ADDRESSES.search(self.output.read_text())):
            assert self.process.poll() is None, "ended at the start"
            assert time.monotonic() < until, "printed no addresses"
            time.sleep(0.02)
        self.__dict__.update(found.groupdict())

    def key(self, name):
        """The text of a key file in the data directory."""
        return (self.data / name).read_text()

    def end(self):
        """Ends it with SIGTERM; its exit status."""
        self.process.terminate()
        return self.process.wait(END)


@contextlib.contextmanager
def running(name, *flags, listeners=ANYWHERE):
    """A fresh product; `name` is for its log. It has ended afterwards, come
    what may, and cleanly if nothing else went wrong."""
    logs = Path(os.environ["OUTSIDE_LOGS"])
    logs.mkdir(parents=True, exist_ok=True)
    output, log = logs / f"{name}.out", logs / f"{name}.log"
    with (
        tempfile.TemporaryDirectory(prefix="customauth-") as folder,
        output.open("w") as stdout,
        log.open("w") as stderr,
    ):
        data = Path(folder) / "data"
        process = subprocess.Popen(
            [os.environ["CUSTOMAUTH"], f"--data-dir={data}", *listeners, *flags],
            # The settings of whoever runs this must not get in.
            env={},
            stdout=stdout,
            stderr=stderr,
        )
        try:
            product = Product(process, data, output)
            product.wait_until_ready()
            yield product
            if process.returncode is None:
                assert product.end() == 0
            assert "panicked" not in log.read_text()
        finally:
            process.kill()
            process.wait()
