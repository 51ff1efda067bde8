"""Who may look: a key, a password, or everybody."""

import asyncio
import base64
import os
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import bcrypt
import pytest
from asgi import Answered, ask
from starlette.responses import PlainTextResponse, Response

from probe.web.access import Access, Admission, Everybody, Password, Token
from probe.web.passwords import Attempts, Checker, PasswordError, hash_of, read_hash

# The fewest rounds: what is tested is not how long guessing takes.
HASH = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4))
WHOLE_HASH = f"$2b$12${'a' * 53}"


def message(status: HTTPStatus, text: str) -> Response:
    return PlainTextResponse(text, status)


def admitting(access: Access) -> Callable[..., Answered]:
    app = Admission(PlainTextResponse("words"), access, message)
    return lambda target, **headers: ask(app, target, **headers)


def basic(password: str | bytes, user: str = "me") -> str:
    raw = password.encode() if isinstance(password, str) else password
    return "Basic " + base64.b64encode(user.encode() + b":" + raw).decode()


class TestToken:
    def test_without_the_key_there_is_nothing_to_see(self) -> None:
        token = Token(9851, is_secure=False)
        for target, headers in (("/", {}), ("/?token=x", {}), ("/", {"cookie": "voice_probe_9851=x"})):
            answer = admitting(token)(target, **headers)
            assert answer.status == 403 and "words" not in answer.text and token.value not in answer.text

    def test_the_key_becomes_a_cookie_and_leaves_the_address(self) -> None:
        token = Token(9851, is_secure=False)
        answer = admitting(token)(f"/runs?target=a%26b&token={token.value}&sort=oldest")
        assert (answer.status, answer.headers["location"]) == (303, "/runs?target=a%26b&sort=oldest")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie and "secure" not in cookie
        assert admitting(token)("/", cookie=answer.headers["set-cookie"].partition(";")[0]).text == "words"

    def test_it_leads_to_the_same_place(self) -> None:
        token = Token(9851, is_secure=False)
        location = admitting(token)(f"/runs/a%20b%3Fc?token={token.value}").headers["location"]
        assert location == "/runs/a%20b%3Fc"

    def test_over_https_the_cookie_goes_nowhere_else(self) -> None:
        token = Token(9851, is_secure=True)
        assert "secure" in admitting(token)(f"/?token={token.value}").headers["set-cookie"].lower()

    @pytest.mark.parametrize("path", ["//evil.example", "///evil.example/x", "/%5Cevil.example", "/%2F/evil.example"])
    def test_it_leads_to_no_other_server(self, path: str) -> None:
        token = Token(9851, is_secure=False)
        location = admitting(token)(f"{path}?token={token.value}").headers["location"]
        assert re.match(r"/[^/\\]", location)

    def test_each_start_has_a_key_of_its_own(self) -> None:
        first, second = (Token(9851, is_secure=False).value for _ in range(2))
        assert first != second and len(first) >= 32

    def test_the_stylesheet_of_the_refusal_is_open(self) -> None:
        assert admitting(Token(1, is_secure=False))("/static/style.css").text == "words"


def test_everybody_may_see_figures() -> None:
    assert admitting(Everybody())("/").text == "words"


class Now:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


class TestPassword:
    def test_it_is_asked_for(self) -> None:
        answer = admitting(Password(HASH, Now()))("/")
        assert answer.status == 401 and answer.headers["www-authenticate"].startswith("Basic ")

    def test_the_right_one_opens(self) -> None:
        assert admitting(Password(HASH, Now()))("/", authorization=basic("open sesame")).text == "words"

    @pytest.mark.parametrize(
        "header",
        [
            basic("open sesam"), basic(""), basic(b"\xff\xfe"), basic("x" * 100), basic(b"open sesame\0x"), "Basic",
            "Basic ***", "Bearer abc", "Basic " + base64.b64encode(b"no colon").decode(),
        ],
    )  # fmt: skip
    def test_anything_else_does_not(self, header: str) -> None:
        answer = admitting(Password(HASH, Now()))("/", authorization=header)
        assert answer.status == 401 and "words" not in answer.text

    def test_guessing_ends_after_a_few_and_goes_on_a_minute_later(self) -> None:
        now = Now()
        asked = admitting(Password(HASH, now))
        found = [asked("/", authorization=basic(f"guess {number}")).status for number in range(7)]
        assert found == [401] * 5 + [429] * 2
        assert asked("/", authorization=basic("open sesame")).status == 429
        now.at = 61.0
        assert asked("/", authorization=basic("open sesame")).text == "words"

    def test_whoever_is_in_stays_in_while_somebody_guesses(self) -> None:
        asked = admitting(Password(HASH, Now()))
        right = basic("open sesame")
        assert asked("/", authorization=right).text == "words"
        for number in range(7):
            asked("/", authorization=basic(f"guess {number}"))
        assert asked("/", authorization=right).text == "words"

    def test_guesses_from_many_addresses_end_too(self) -> None:
        attempts = Attempts(Now())
        for number in range(60):
            attempts.add(f"2001:db8::{number:x}")
        assert attempts.is_over("2001:db8:1::1")

    def test_what_is_remembered_of_guesses_is_bounded(self) -> None:
        attempts = Attempts(Now())
        for number in range(3000):
            attempts.add(str(number))
        assert len(attempts._of_client) <= 1000

    def test_few_wait_while_one_is_checked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bcrypt, "checkpw", lambda _password, _hashed: False)
        checker = Checker(HASH, Attempts(Now()))

        async def all_at_once() -> list[str]:
            return await asyncio.gather(*(checker.check(basic(f"{n}"), f"client {n}") for n in range(20)))

        found = asyncio.run(all_at_once())
        assert (found.count("wrong"), found.count("busy")) == (8, 12)


class TestFile:
    def test_a_hash_fits_its_password(self) -> None:
        assert bcrypt.checkpw(b"open sesame", hash_of("open sesame").encode())

    @pytest.mark.parametrize("password", ["", "short", "x" * 73, "ä" * 37])
    def test_a_password_that_is_too_short_or_would_be_cut_is_refused(self, password: str) -> None:
        with pytest.raises(PasswordError, match="8 characters at least, and 72 bytes"):
            hash_of(password)

    def test_a_file_of_its_owner_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "hash"
        path.write_text(f"{WHOLE_HASH}\n")
        path.chmod(0o600)
        assert read_hash(path) == WHOLE_HASH.encode()

    @pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o666])
    def test_a_file_that_others_may_read_or_write_is_refused(self, mode: int, tmp_path: Path) -> None:
        path = tmp_path / "hash"
        path.write_text(WHOLE_HASH)
        path.chmod(mode)
        with pytest.raises(PasswordError, match="by others; chmod 600"):
            read_hash(path)

    @pytest.mark.parametrize("text", ["", "open sesame", "$2b$04$" + "a" * 53, "$1$abc$def", f"{WHOLE_HASH}x"])
    def test_what_is_no_hash_is_refused_and_not_repeated(self, text: str, tmp_path: Path) -> None:
        path = tmp_path / "hash"
        path.write_text(text)
        path.chmod(0o600)
        with pytest.raises(PasswordError, match="no hash of a password") as raised:
            read_hash(path)
        assert not text or text not in str(raised.value)

    def test_no_file_is_one_line(self, tmp_path: Path) -> None:
        with pytest.raises(PasswordError, match=os.strerror(2)):
            read_hash(tmp_path / "hash")
