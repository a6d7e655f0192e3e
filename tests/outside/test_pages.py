"""README.md and docs/: what they show works as it is written."""

import contextlib
import re

import pages
import pytest
from product import running

# These have something to run. Of the others, what is marked is run.
READMES = [pages.ROOT / "README.md", pages.ROOT / "README.ru.md"]
GUIDES = [*READMES, *sorted((pages.ROOT / "docs/guides").glob("*.md"))]
OTHERS = [
    page
    for page in sorted((pages.ROOT / "docs").glob("*.md"))
    if pages.COMMENT.search(page.read_text())
]


@pytest.fixture
def fresh(page):
    """A product of its own for a page, with its settings, where the page says
    that it listens. If somebody else listens there, as on a developer's machine,
    elsewhere: the page is run with other addresses then. So is always a server
    that the page starts itself."""
    receiver = pages.free_address()
    flags = ["--auth-sms-delay-ms=0", *pages.settings(page.read_text(), receiver)]
    with contextlib.ExitStack() as stack:

        def start(**listeners):
            return stack.enter_context(running("page", *flags, **listeners))

        try:
            product = start(listeners=pages.LISTENERS)
        except AssertionError:
            product = start()
        product.receiver = receiver
        yield product


@pytest.mark.parametrize("page", GUIDES + OTHERS, ids=lambda page: page.name)
def test_a_page(fresh, page):
    pages.run(fresh, page.read_text())


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert links
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def code(page):
    """A page's blocks of code with their marks, without the comments in them:
    these are in the page's language."""
    fenced = re.findall(r"(?:^<!-- [^\n]* -->\n)?^```\w+$.*?^```$", page, re.M | re.S)
    return [re.sub(r"(?m)^#.*\n|[ ]+# .*$", "", block) for block in fenced]


def settings(page):
    """What the rows of the table of settings name, and the numbers in them."""
    rows = re.findall(r"^\| `[A-Z].*\|$", page, re.M)
    return [re.findall(r"`[^`]+`|\d+", row) for row in rows]


def links(page):
    return set(re.findall(r"\]\(([^)]+)\)", page)) - {"README.md", "README.ru.md"}


@pytest.mark.parametrize("part", [code, settings, links])
def test_the_readmes_say_the_same(part):
    english, russian = (part(page.read_text()) for page in READMES)
    assert english
    assert russian == english


FENCE = "```"
PRINTS_A = f"<!-- run -->\n{FENCE}sh\na=1; echo a\n{FENCE}\n"


def told(text):
    return f"\n<!-- prints -->\n{FENCE}text\n{text}\n{FENCE}\n"


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("# Nothing\n", "nothing on this page is run"),
        (f"{FENCE}sh\ntrue\n{FENCE}\n", "nothing on this page is run"),
        ("<!-- run -->\n\n" + PRINTS_A, "a comment that marks no block"),
        (PRINTS_A.replace("run", "Run"), "a comment that marks no block"),
        (told("a"), "line 3: nothing was run"),
        (PRINTS_A + told("b"), "the block of line 2 printed:\na\n"),
        (PRINTS_A.replace("a=1", "false | true"), "the block of line 2 has status 1"),
        (PRINTS_A.replace("a=1", "echo $b"), "b: unbound variable"),
        (PRINTS_A.replace("run", "refused"), "not refused"),
        (
            PRINTS_A.replace("a=1", "curl -s http://127.0.0.1:8080/no-such-path"),
            "the block of line 2 has status 22",
        ),
    ],
)
def test_what_is_wrong_with_a_page_is_found(product, page, complaint):
    with pytest.raises(AssertionError, match=re.escape(complaint)):
        pages.run(product, page)


def test_a_page_is_run_in_one_shell(product):
    again = f"<!-- run -->\n{FENCE}sh\necho $a $(cat b.txt)\n{FENCE}\n"
    file = f"<!-- file b.txt -->\n{FENCE}text\nauth-service at 127.0.0.1:50051\n{FENCE}\n"
    address = "127.0.0.1:50051"
    pages.run(product, PRINTS_A + told("a") + file + again + told(f"1 … at {address}"))
