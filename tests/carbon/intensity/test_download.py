"""The door to the services, against a server that is busy, broken, slow, cut off, huge or points elsewhere."""

from __future__ import annotations

import email.utils
import gc
import time
from dataclasses import replace
from typing import Any

import pytest

from greenai.carbon.intensity import download as module
from greenai.carbon.intensity.errors import FetchError


def test_a_document(service: Any, download: Any, waits: list[float]) -> None:
    service.on("/x", b"{}")
    got = download.get(f"{service.url}/x", {"auth-token": "secret"})
    assert (got.body, got.url, waits) == (b"{}", f"{service.url}/x", [])
    _, _, headers = service.asked[0]
    sent = {name.casefold(): value for name, value in headers.items()}
    assert sent["auth-token"] == "secret"
    assert sent["user-agent"].startswith("greenai/")


def test_busy_says_for_how_long(service: Any, download: Any, waits: list[float], reply: Any) -> None:
    service.on("/x", reply(429, headers={"Retry-After": "7"}), reply(body=b"ok"))
    assert download.get(f"{service.url}/x").body == b"ok"
    assert waits == [7.0]


def test_busy_until_a_date(service: Any, download: Any, waits: list[float], reply: Any) -> None:
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    service.on("/x", reply(429, headers={"Retry-After": date}), reply(body=b"ok"))
    download.get(f"{service.url}/x")
    assert 25 < waits[0] <= 30


@pytest.mark.parametrize("said", [None, "soon", "-5", "Wed, 99 Nov", ""])
def test_busy_without_a_time_waits_longer_and_longer(
    service: Any, download: Any, waits: list[float], reply: Any, said: str | None
) -> None:
    busy = reply(429, headers={} if said is None else {"Retry-After": said})
    service.on("/x", busy, busy, reply(body=b"ok"))
    assert download.get(f"{service.url}/x").body == b"ok"
    assert waits == [20.0, 40.0]


def test_busy_for_too_long_is_told_at_once(service: Any, download: Any, waits: list[float], reply: Any) -> None:
    service.on("/x", reply(429, headers={"Retry-After": "3600"}))
    with pytest.raises(FetchError) as error:
        download.get(f"{service.url}/x")
    assert (waits, error.value.status, len(service.asked)) == ([], 429, 1)
    assert "3600 s" in str(error.value.remedy)


def test_always_busy_ends(service: Any, download: Any, waits: list[float], reply: Any) -> None:
    service.on("/x", reply(429))
    with pytest.raises(FetchError, match="429"):
        download.get(f"{service.url}/x")
    assert waits == [20.0, 40.0, 80.0]


def test_a_broken_server_recovers(service: Any, download: Any, waits: list[float], reply: Any) -> None:
    service.on("/x", reply(500), reply(502), reply(body=b"ok"))
    assert download.get(f"{service.url}/x").body == b"ok"
    assert waits == [2.0, 4.0]


def test_a_broken_server_stays_broken(service: Any, download: Any, reply: Any) -> None:
    service.on("/x", reply(500))
    with pytest.raises(FetchError) as error:
        download.get(f"{service.url}/x")
    assert (error.value.status, len(service.asked)) == (500, 4)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_is_refused_is_not_asked_again(service: Any, download: Any, reply: Any, status: int) -> None:
    service.on("/x", reply(status))
    with pytest.raises(FetchError) as error:
        download.get(f"{service.url}/x")
    assert (error.value.status, len(service.asked)) == (status, 1)


def test_a_server_that_hangs(service: Any, download: Any, reply: Any) -> None:
    service.on("/x", reply(hang=True))
    begin = time.monotonic()
    with pytest.raises(FetchError, match=r"was not done after 0\.3 s"):
        replace(download, timeout_s=0.3).get(f"{service.url}/x")
    assert time.monotonic() - begin < 3
    assert len(service.asked) == 2


def test_a_server_that_drips(service: Any, download: Any, reply: Any) -> None:
    service.on("/x", reply(body=b"x" * 1000, drip_s=0.05))
    begin = time.monotonic()
    with pytest.raises(FetchError, match="was not done"):
        replace(download, timeout_s=0.4).get(f"{service.url}/x")
    assert time.monotonic() - begin < 3


def test_a_server_whose_headers_never_end(service: Any, download: Any, reply: Any) -> None:
    service.on("/x", reply(endless_headers=True))
    begin = time.monotonic()
    with pytest.raises(FetchError, match="was not done"):
        replace(download, timeout_s=0.3).get(f"{service.url}/x")
    assert time.monotonic() - begin < 4


def test_an_answer_that_is_cut_off(service: Any, download: Any, waits: list[float], reply: Any) -> None:
    service.on("/x", reply(body=b'{"a":', promise=500), reply(body=b"ok"))
    assert download.get(f"{service.url}/x").body == b"ok"
    assert waits == [2.0]


def test_an_answer_that_is_huge(service: Any, download: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 1_000)
    service.on("/x", b"x" * 2_000)
    with pytest.raises(FetchError, match="more than"):
        download.get(f"{service.url}/x")
    assert len(service.asked) == 1


def test_nobody_there(download: Any, waits: list[float]) -> None:
    with pytest.raises(FetchError) as error:
        download.get("http://127.0.0.1:9/x")
    assert (error.value.status, waits) == (None, [2.0])
    assert "--source csv" in str(error.value.remedy)


def test_a_redirect_on_the_same_host(service: Any, download: Any, reply: Any) -> None:
    service.on("/x", reply(302, headers={"Location": "/y"}))
    service.on("/y", b"ok")
    assert download.get(f"{service.url}/x", {"auth-token": "secret"}).body == b"ok"


@pytest.mark.parametrize("target", ["http://localhost:{port}/y", "https://other.example/y", "file:///etc/passwd"])
def test_a_redirect_elsewhere_is_not_followed(service: Any, download: Any, reply: Any, target: str) -> None:
    port = service.url.rpartition(":")[2]
    service.on("/x", reply(302, headers={"Location": target.format(port=port)}))
    service.on("/y", b"ok")
    with pytest.raises(FetchError):
        download.get(f"{service.url}/x", {"auth-token": "secret"})
    assert service.paths == ["/x"]


@pytest.mark.parametrize("target", ["http://[::1", "http://127.0.0.1:abc/", "http://127.0.0.1:99999/"])
def test_a_redirect_to_no_address(service: Any, download: Any, reply: Any, target: str) -> None:
    service.on("/x", reply(302, headers={"Location": target}))
    with pytest.raises(FetchError, match="is no address"):
        download.get(f"{service.url}/x")


def test_a_url_that_is_none(download: Any) -> None:
    with pytest.raises(FetchError, match="is no address"):
        download.get("https://[::1/x")


def test_a_server_does_not_steer_the_terminal(service: Any, download: Any, reply: Any) -> None:
    service.on("/x", reply(404, reason="\x1b[31mRED\x1b]0;x\x07"))
    with pytest.raises(FetchError, match="RED") as error:
        download.get(f"{service.url}/x")
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize("url", ["http://api.example/x", "file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_only_https(download: Any, url: str) -> None:
    with pytest.raises(FetchError, match="not encrypted"):
        download.get(url)


# Python's own http.client leaves the answer of a proxy that refuses to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_https_goes_through_the_proxy_that_sees_no_token(
    service: Any, download: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", service.url)
    with pytest.raises(FetchError):
        download.get("https://api.example/x", {"auth-token": "secret"})
    assert {path for path, _, _ in service.asked} == {"CONNECT api.example:443"}
    assert "secret" not in str(service.asked)
    gc.collect()


def test_plain_http_goes_through_no_proxy(service: Any, download: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    service.on("/x", b"ok")
    assert download.get(f"{service.url}/x").body == b"ok"
