"""The described API, held to its description by schemathesis: examples, edge
cases, random requests good and bad, and chains of them."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

import pytest
from product import running

HERE = Path(__file__).parent / "schemathesis"
LIMIT = 240  # seconds; it takes about 60 on two cores


@pytest.fixture(scope="module")
def unlimited():
    """A product whose limits nobody reaches."""
    limits = ("codes-per-phone", "codes-per-client", "failures-per-client")
    flags = [f"--auth-max-{limit}=1000000000" for limit in limits]
    with running("openapi", "--auth-sms-delay-ms=0", *flags) as product:
        yield product


def test_schemathesis_finds_nothing(unlimited, tmp_path):
    gateway = f"http://{unlimited.gateway}"
    # By an address, schemathesis would leave out the path that it came from.
    description, seen = tmp_path / "openapi.json", tmp_path / "seen.json"
    with urllib.request.urlopen(f"{gateway}/openapi.json", timeout=10) as answer:
        description.write_bytes(answer.read())
    done = subprocess.run(
        [
            "schemathesis",
            f"--config-file={HERE / 'schemathesis.toml'}",
            "run",
            description,
            f"--url={gateway}",
        ],
        # It leaves a folder where it runs.
        cwd=tmp_path,
        env={
            **os.environ,
            "GATEWAY": gateway,
            "PYTHONPATH": str(HERE),
            "SCHEMATHESIS_HOOKS": "hooks",
            "SEEN": str(seen),
        },
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    # It has been everywhere, signed in and not.
    statuses = json.loads(seen.read_text())
    operations = {
        operation["operationId"]: operation
        for path in json.loads(description.read_text())["paths"].values()
        for operation in path.values()
    }
    assert statuses.keys() == operations.keys()
    for name, operation in operations.items():
        told = {status for status in operation["responses"] if status.startswith("2")}
        expected = told | ({"401"} if "security" in operation else set())
        assert expected <= {str(status) for status in statuses[name]}, name
