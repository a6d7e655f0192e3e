"""The metrics, as Prometheus's own Python library reads them."""

import re
import urllib.error
import urllib.request

import pytest
from client import Server, bearer
from prometheus_client.parser import text_string_to_metric_families
from product import running

# Prometheus's own name for a time; ours are histograms of seconds.
TIMES = ("_seconds", "_time_seconds")
UNITS = {"histogram": TIMES, "counter": ("_total",)}
# What a gauge may count, or be.
THINGS = r"_(bytes|seconds|fds|threads|info|in_flight|connections|waiting|replicas|connected)$"


def scrape(address):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        expected = "text/plain; version=0.0.4; charset=utf-8"
        assert answer.headers["Content-Type"] == expected
        return answer.read().decode()


def parsed(text):
    """The families by the name that they have in the text."""
    found = {}
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        assert name not in found, f"{name} is there twice"
        found[name] = family
    return found


def journey(product):
    """Something to count."""
    auth = Server(product.auth)
    asked = auth.call("auth.v1.AuthService/RequestCode", phone_number="+77777777799")
    answer = auth.call(
        "auth.v1.AuthService/VerifyCode",
        challenge_id=asked.challenge_id,
        code=asked.simulated_code,
    )
    Server(product.profile).call(
        "profile.v1.ProfileService/GetProfile", bearer(answer.access_token)
    )
    for path in ("/livez", "/nothing"):
        try:
            urllib.request.urlopen(f"http://{product.gateway}{path}", timeout=10).close()
        except urllib.error.HTTPError as error:
            assert error.code == 404


@pytest.fixture(scope="module")
def told():
    """What a product tells on its gateway that has something to tell."""
    with running("metrics", "--auth-sms-delay-ms=0") as product:
        journey(product)
        yield scrape(product.gateway)


def test_every_family_has_help_and_type(told):
    families = parsed(told)
    assert len(families) > 25
    for name, family in families.items():
        assert family.documentation, name
        assert family.type in ("counter", "gauge", "histogram"), name
    # In the text each is told once, before its samples.
    for word in ("HELP", "TYPE"):
        names = re.findall(rf"^# {word} (\S+) ", told, re.M)
        assert sorted(names) == sorted(families)


def test_names_end_in_their_units(told):
    for name, family in parsed(told).items():
        assert re.fullmatch(r"(customauth|process)_[a-z0-9_]+", name)
        if family.type in UNITS:
            assert name.endswith(UNITS[family.type]), name
        else:
            assert not name.endswith("_total"), name
            assert re.search(THINGS, name), name
        if "duration" in name:
            assert family.type == "histogram", name


def test_samples_are_sound(told):
    seen = set()
    for family in parsed(told).values():
        buckets = {}
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            assert key not in seen
            seen.add(key)
            assert sample.value >= 0, sample
            if sample.name.endswith("_bucket"):
                series = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
                buckets.setdefault(series, []).append((float(sample.labels["le"]), sample.value))
        for counts in buckets.values():
            assert counts == sorted(counts), "buckets are cumulative"
            assert counts[-1][0] == float("inf")


def test_what_was_done_is_told(told):
    def value(name, **labels):
        family = parsed(told)[name]
        return next(it.value for it in family.samples if it.labels == labels)

    assert value("customauth_sign_ins_total", outcome="new_user") == 1
    assert value("customauth_codes_requested_total", outcome="sent") == 1
    labels = {"route": "unmatched", "method": "GET", "status": "404"}
    assert value("customauth_http_requests_total", **labels) == 1
    labels = {"service": "profile-service", "method": "GetProfile", "code": "OK"}
    assert value("customauth_grpc_requests_total", **labels) == 1
    assert "7777777799" not in told


def test_a_listener_of_their_own_has_nothing_else():
    with running("metrics-listen", "--metrics-listen=127.0.0.1:0") as product:
        line = re.search(r"metrics +http://(\S+)/metrics\n", product.output.read_text())
        assert "customauth_build_info" in parsed(scrape(line[1]))
        for url, status in [
            (f"http://{line[1]}/", 404),
            (f"http://{line[1]}/livez", 404),
            (f"http://{product.gateway}/metrics", 404),
        ]:
            with pytest.raises(urllib.error.HTTPError) as raised:
                urllib.request.urlopen(url, timeout=10)
            assert raised.value.code == status
        post = urllib.request.Request(f"http://{line[1]}/metrics", data=b"", method="POST")
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(post, timeout=10)
        assert raised.value.code == 405
        assert raised.value.headers["Allow"] == "GET, HEAD"
