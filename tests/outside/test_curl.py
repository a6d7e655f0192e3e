"""The example that the program prints."""

import json
import subprocess


def test_the_printed_example_works_as_it_stands(product):
    _, example = product.output.read_text().split("\n\n", 2)[1:]
    done = subprocess.run(["bash", "-c", example], capture_output=True, text=True, timeout=30)
    profile = json.loads(done.stdout)
    assert profile["phone_number"] == "+77777777766"
