"""URLs: as they may be shown, and what is right in one."""

from urllib.parse import urlsplit

import pytest

from probe.urls import checked_url, host_of, shown_wrong, without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ws://spark:8002/ws: connection refused", "ws://spark:8002/ws: connection refused"),
        ("ws://me:pw@spark:8002/ws: refused", "ws://spark:8002/ws: refused"),
        ("ws://me:p@w@spark/ws", "ws://spark/ws"),
        ("wss://token@spark", "wss://spark"),
        ("ws://spark/ws?key=secret: refused", "ws://spark/ws: refused"),
        ("two: http://a?x=1, http://b:1/c#d.", "two: http://a, http://b:1/c."),
        ("http://a?key=x'y", "http://a"),
        ("'http://a?key=x': refused", "'http://a': refused"),
        ('{"a":"http://a?x=1","b":"http://b?y=\'"}', '{"a":"http://a","b":"http://b"}'),
        ("don't:http://a?key=x't", "don't:http://a"),
        ("mail me@example", "mail me@example"),
        ("no audio?", "no audio?"),
    ],
)
def test_urls_keep_only_the_address(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    "written",
    [
        "http://me:hun/ter2@spark/v1",
        "http://me:hun?ter2@spark/v1",
        "http://me:hun ter2@spark/v1",
        "http:/me:hunter2@spark/v1",
        "me:hunter2@spark:8000",
        "//me:hunter2@spark",
        "ws://spark/a b?key=hunter2",
        "http://me:hun'ter2@spark:x",
    ],
)
def test_no_secret_of_a_wrong_url_is_shown(written: str) -> None:
    with pytest.raises(ValueError, match="expected http") as raised:
        checked_url(written, ("http",))
    assert "hun" not in str(raised.value) and "ter2" not in str(raised.value)
    assert "spark" in shown_wrong(written)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://[fe80::1%25eth0]:8080/v1", "fe80::1%eth0"),
        ("http://[fe80::1%eth0]:8080/v1", "fe80::1%eth0"),
        ("http://[::1]/", "::1"),
        ("http://Spark:1", "spark"),
        ("http://sp%25ark:1", "sp%25ark"),
        ("nothing", None),
    ],
)
def test_the_zone_of_an_address_is_what_the_system_calls_it(url: str, host: str | None) -> None:
    assert host_of(urlsplit(url)) == host


@pytest.mark.parametrize(
    "url", ["ws://spark", "https://spark/v1", "http://spark:8080", "tcp://spark:10200", "tcp://[::1]:1"]
)
def test_a_port_is_left_out_where_one_is_usual(url: str) -> None:
    assert checked_url(url, ("ws", "http", "https", "tcp")) == url


@pytest.mark.parametrize("url", ["tcp://spark", "tcp://spark:0", "ws://spark:0", "grpc://spark:1", "tcp://:1"])
def test_a_port_is_there_where_none_is_usual(url: str) -> None:
    with pytest.raises(ValueError, match="expected ws://HOST:PORT/PATH or tcp://HOST:PORT"):
        checked_url(url, ("ws", "tcp"))
