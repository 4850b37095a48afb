"""Fetched series on disk."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from greenai.carbon.intensity import cache as module
from greenai.carbon.intensity.cache import IntensityCache
from greenai.carbon.intensity.series import IntensitySeries, IntensityStep, Origin, StepStatus
from greenai.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

H = 3_600_000
T0 = 1_795_000_000_000 // H * H
ORIGIN = Origin(
    "smard", "DE", "average", "CO2", "generation", "generated", "S", "u", "l", "a", T0, "ab" * 32, False, "m"
)


def series(retrieved_ms: int = T0, *values: float | None, start: int = 0, **more: Any) -> IntensitySeries:
    steps = tuple(
        IntensityStep(T0 + (start + n) * H, T0 + (start + n + 1) * H, value, **more)
        for n, value in enumerate(values or (1.0, None, 3.0))
    )
    return IntensitySeries(replace(ORIGIN, retrieved_ms=retrieved_ms), steps)


@pytest.fixture
def cache(tmp_path: Path) -> IntensityCache:
    return IntensityCache(tmp_path / "intensity")


def load(cache: IntensityCache, start: int = 0, end: int = 9) -> Any:
    return cache.load("DE", T0 + start * H, T0 + end * H)


def test_what_was_saved_comes_back(cache: IntensityCache) -> None:
    path = cache.save(series())
    assert path.parent == cache.folder / "smard" / "DE"
    found = load(cache)
    assert dict(found.fetches) == {ORIGIN.meaning: (series(),)}
    assert found.damaged == ()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(("start", "end"), [(3, 9), (-9, 0)])
def test_other_periods_are_left_alone(cache: IntensityCache, start: int, end: int) -> None:
    cache.save(series())
    assert load(cache, start, end).fetches == {}


def test_nothing_there(cache: IntensityCache) -> None:
    assert load(cache).fetches == {}


def test_a_newer_fetch_replaces_what_it_covers(cache: IntensityCache) -> None:
    old = cache.save(series(T0, 1.0, 2.0))
    new = cache.save(series(T0 + 1, 1.5, 2.5, 3.5))
    assert (old.exists(), new.exists()) == (False, True)


def test_a_newer_fetch_keeps_what_it_lacks(cache: IntensityCache) -> None:
    for newer in (
        series(T0 + 1, 1.5, None),  # a value has become unknown
        series(T0 + 1, 1.5),  # it is shorter
        series(T0 + 1, 1.5, 2.5, status=StepStatus.FORECAST),  # it is less firm
        series(T0 - 1, 1.5, 2.5),  # it is older
    ):
        old = cache.save(series(T0, 1.0, 2.0))
        cache.save(newer)
        assert old.exists()
        for path in old.parent.iterdir():
            path.unlink()


def test_what_means_something_else_is_kept_and_kept_apart(cache: IntensityCache) -> None:
    direct, lifecycle = series(T0, 1.0, 2.0), series(T0 + 1, 1.5, 2.5)
    lifecycle = replace(lifecycle, origin=replace(lifecycle.origin, gases="CO2e", boundary="lifecycle"))
    cache.save(direct)
    cache.save(lifecycle)
    assert dict(load(cache).fetches) == {direct.origin.meaning: (direct,), lifecycle.origin.meaning: (lifecycle,)}


def test_what_is_read_does_not_steer_the_terminal(cache: IntensityCache) -> None:
    path = cache.save(series())
    _change(path, origin=json.loads(path.read_text(encoding="utf-8"))["origin"] | {"source": "\x1b[31mEVIL\n"})
    ((found,),) = load(cache).fetches.values()
    assert found.origin.source == "\ufffd[31mEVIL"


def test_a_forecast_that_has_come_true_goes(cache: IntensityCache) -> None:
    forecast = cache.save(series(T0, 1.0, 2.0, status=StepStatus.FORECAST))
    cache.save(series(T0 + 1, 1.5, 2.5))
    assert not forecast.exists()


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _change(path: Path, **changed: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changed), encoding="utf-8")


DAMAGES: dict[str, Any] = {
    "cut": _truncate,
    "empty": lambda path: path.write_bytes(b""),
    "noise": lambda path: path.write_bytes(b"\x00\xff" * 50),
    "deep": lambda path: path.write_bytes(b"[" * 100_000),
    "newer format": lambda path: _change(path, format=2),
    "negative": lambda path: _change(path, steps=[[0, 1, -5.0, "actual"]]),
    "overlap": lambda path: _change(path, steps=[[0, 9, 5.0, "actual"], [5, 12, 5.0, "actual"]]),
    "status": lambda path: _change(path, steps=[[0, 1, 5.0, "dreamt"]]),
    "times": lambda path: _change(path, steps=[["a", "b", 5.0, "actual"]]),
    "no origin": lambda path: _change(path, origin={}),
    "odd origin": lambda path: _change(
        path, origin={"service": 5} | {k: 1 for k in ORIGIN.__slots__ if k != "service"}
    ),
    "number without end": lambda path: path.write_text(
        path.read_text(encoding="utf-8").replace("7.0", "1" + "0" * 399), encoding="utf-8"
    ),
    "time without end": lambda path: _change(path, steps=[[10**400, 10**401, 5.0, "actual"]]),
    "before 1970": lambda path: _change(path, steps=[[-5, 10, 5.0, "actual"]]),
    "a year long": lambda path: _change(path, steps=[[T0, T0 + 8760 * H, 5.0, "actual"]]),
    **{
        f"{name} {value!r:.20}": lambda path, name=name, value=value: _change(
            path, origin=json.loads(path.read_text(encoding="utf-8"))["origin"] | {name: value}
        )
        for name, value in (
            ("gases", ["a"]),
            ("gases", "CO3"),
            ("boundary", {"a": 1}),
            ("basis", "dreamt"),
            ("kind", "marginal"),
            ("retrieved_ms", 10**20),
            ("retrieved_ms", True),
            ("retrieved_ms", -1),
            ("sha256", None),
            ("zone", 5),
            ("attribution", []),
            ("verified", "yes"),
            ("method", 5),
            ("\x1b[2J", 1),
        )
    },
    "folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_and_left_out(cache: IntensityCache, damage: str) -> None:
    bad = cache.save(series(T0, 7.0, start=4))
    good = series(T0 + 1)
    cache.save(good)
    DAMAGES[damage](bad)
    found = load(cache)
    assert dict(found.fetches) == {ORIGIN.meaning: (good,)}
    assert [one.path for one in found.damaged] == [bad]
    assert found.damaged[0].problem.isprintable()
    assert "greenai factors fetch --zone DE" in found.damaged[0].said.en
    cache.save(series(T0 + 2))  # it does not stand in the way of a new one


def test_strange_files_are_no_business_of_ours(cache: IntensityCache) -> None:
    folder = cache.save(series()).parent
    for name in (".new-abc", "notes.json", "20269999T0000Z_20269999T0000Z_1795000000000_abababab.json"):
        (folder / name).write_text("x", encoding="utf-8")
    found = load(cache)
    assert (len(found.fetches[ORIGIN.meaning]), found.damaged) == (1, ())


def test_a_name_leads_nowhere_else(cache: IntensityCache, tmp_path: Path) -> None:
    evil = IntensitySeries(replace(ORIGIN, service="../../evil", zone="../x"), series().steps)
    path = cache.save(evil)
    assert (tmp_path / "intensity").resolve() in path.resolve().parents


def test_two_fetches_at_once(cache: IntensityCache) -> None:
    threads = [threading.Thread(target=cache.save, args=(series(T0 + n, 1.0 + n, 2.0),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = load(cache)
    assert found.damaged == ()
    assert max(one.origin.retrieved_ms for one in found.fetches[ORIGIN.meaning]) == T0 + 7


def test_a_file_that_is_replaced_while_we_look(cache: IntensityCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.save(series(T0, 1.0, 2.0))
    real, newer = module._read, series(T0 + 1, 1.5, 2.5)

    def read(path: Path) -> IntensitySeries:
        monkeypatch.setattr(module, "_read", real)
        cache.save(newer)  # removes what we were about to read
        return real(path)

    monkeypatch.setattr(module, "_read", read)
    assert dict(load(cache).fetches) == {ORIGIN.meaning: (newer,)}


def test_a_link_that_leads_nowhere(cache: IntensityCache) -> None:
    path = cache.save(series(T0, 7.0, start=4))
    path.unlink()
    path.symlink_to("nowhere")
    assert load(cache).fetches == {}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "intensity").write_text("a file", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be written") as error:
        IntensityCache(tmp_path / "intensity").save(series())
    assert "XDG_DATA_HOME" in str(error.value.remedy)
