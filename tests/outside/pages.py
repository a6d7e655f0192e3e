"""Runs the runnable blocks of a page as whoever reads it would.

A comment in front of a fenced block says what is done with it; GitHub shows the
block and hides the comment.

- `<!-- run -->`: it is run. All of a page's are, in order, in one bash with
  `set -euo pipefail`, where curl fails at an HTTP error.
- `<!-- refused -->`: it is run, in a subshell, and must fail.
- `<!-- file NAME -->`: it is the text of that file.
- `<!-- settings -->`: the product that the page is run with has these settings,
  `export NAME=value` a line.
- `<!-- prints -->`: the block that was run before it prints this. `…` is
  anything.

Every other block is for reading alone. The shell starts in an empty folder that
has the repository as `customauth` and the packages of `node/` as `node_modules`.
"""

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PATIENCE = 120  # seconds for a page, on a busy machine

MARKER = re.compile(r"<!-- (run|refused|prints|settings|file (\S+)) -->\n```\w+\n(.*?)^```$", re.M | re.S)
COMMENT = re.compile(r"^<!--", re.M)
# The addresses that the pages speak of; ports that are spoken of otherwise
# could not be replaced.
WRITTEN = {
    "gateway": "127.0.0.1:8080",
    "auth": "127.0.0.1:50051",
    "profile": "127.0.0.1:50052",
    # A server that a page itself starts.
    "receiver": "127.0.0.1:9000",
}
LISTENERS = [f"--{name}-listen={WRITTEN[name]}" for name in ("gateway", "auth", "profile")]


@dataclass
class Block:
    """A block that was marked. `kind` is the first word of its mark."""

    kind: str
    name: str | None
    text: str
    line: int


def blocks(page):
    """The marked blocks of a page's text, in order. A comment that marks
    nothing is a slip."""
    found = [
        Block(match[1].split()[0], match[2], match[3], page.count("\n", 0, match.start()) + 2)
        for match in MARKER.finditer(page)
    ]
    assert len(found) == len(COMMENT.findall(page)), "a comment that marks no block"
    previous = None
    for block in found:
        if block.kind == "prints":
            assert previous in ("run", "refused"), f"line {block.line}: nothing was run"
        previous = block.kind
    return found


def matches(expected, printed):
    """Whether this was printed; `…` stands for anything."""
    pattern = ".*?".join(map(re.escape, expected.strip().split("…")))
    return re.fullmatch(pattern, printed.strip(), re.S) is not None


def free_address():
    """Where nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def settings(page, receiver):
    """The flags that the product of a page is started with; `receiver` is where
    the page's own server is going to listen."""
    words = [
        word
        for block in blocks(page)
        if block.kind == "settings"
        for word in shlex.split(block.text, comments=True)
    ]
    pairs = [word.split("=", 1) for word in words if "=" in word]
    return [
        f"--{name.lower().replace('_', '-')}={value.replace(WRITTEN['receiver'], receiver)}"
        for name, value in pairs
    ]


def at(product, text):
    """The text with the product's addresses instead of the written ones."""
    for name, address in WRITTEN.items():
        text = text.replace(address, getattr(product, name, address))
    return text


def script(product, steps, outputs):
    """The shell's text: each step prints into a file of its own."""
    lines = ["set -euo pipefail"]
    for step in steps:
        text = at(product, step.text)
        lines.append(f"exec >{shlex.quote(str(outputs / str(step.line)))} 2>&1")
        if step.kind == "refused":
            # Not as a condition: `set -e` would not hold in it.
            text = f"set +e\n(set -e\n{text})\n[ $? != 0 ] || {{ echo 'not refused'; exit 1; }}\nset -e"
        lines.append(text)
    return "\n".join(lines)


@contextlib.contextmanager
def shell(folder, text):
    """A bash at work in the folder; it has ended afterwards, with whatever it
    started."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "LANG": "C.UTF-8",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    process = subprocess.Popen(
        ["bash", "-c", text],
        cwd=folder / "work",
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(product, page):
    """Runs a page's text; fails with the block that went wrong."""
    marked = blocks(page)
    steps = [block for block in marked if block.kind in ("run", "refused")]
    assert steps, "nothing on this page is run"
    with tempfile.TemporaryDirectory(prefix="customauth-page-") as name:
        folder = Path(name)
        home, work, outputs = folder / "home", folder / "work", folder / "outputs"
        for made in (home, work, outputs):
            made.mkdir()
        (home / ".curlrc").write_text("fail-with-body\n")
        (work / "customauth").symlink_to(ROOT)
        (work / "node_modules").symlink_to(Path(os.environ["NODE_FOLDER"]) / "node_modules")
        for block in marked:
            if block.kind == "file":
                file = work / block.name
                assert not file.exists(), f"line {block.line}: {block.name} twice"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(at(product, block.text))

        with shell(folder, script(product, steps, outputs)) as process:
            try:
                status = process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                status = "none in time"
        printed = {step.line: outputs / str(step.line) for step in steps}
        reached = [line for line, file in printed.items() if file.exists()]
        last = reached[-1]
        assert (status, len(reached)) == (0, len(steps)), (
            f"the block of line {last} has status {status}:\n{printed[last].read_text()}"
        )
        ran = None
        for block in marked:
            if block in steps:
                ran = block
            elif block.kind == "prints":
                told = printed[ran.line].read_text()
                assert matches(at(product, block.text), told), (
                    f"the block of line {ran.line} printed:\n{told}\n"
                    f"instead of, line {block.line}:\n{block.text}"
                )
