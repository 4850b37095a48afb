"""What the server answers: languages, headers, host names, callbacks, downloads."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.errors import ConfigError, StoreError
from greenai.core.text import Text
from greenai.core.views import RunQuery
from greenai.core.vocabulary import RunState
from greenai_dashboard.app import create_app, page_for
from greenai_dashboard.pages import live, runs
from greenai_dashboard.serve import serve

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from greenai.core.record import RunRecord


@pytest.fixture
def client(data: Any) -> FlaskClient:
    return cast("FlaskClient", create_app(data).server.test_client())


def call_back(
    client: FlaskClient,
    outputs: list[str],
    inputs: dict[str, Any],
    state: dict[str, Any],
    changed: list[str] | None = None,
) -> Any:
    """Post a callback as the browser does; keys are ``id.property``."""

    def part(key: str, value: Any) -> dict[str, Any]:
        name, _, prop = key.partition(".")
        return {"id": name, "property": prop, "value": value}

    many = len(outputs) > 1
    specs = [dict(zip(("id", "property"), output.split("."), strict=True)) for output in outputs]
    return client.post(
        "/_dash-update-component",
        json={
            "output": f"..{'...'.join(outputs)}.." if many else outputs[0],
            "outputs": specs if many else specs[0],
            "inputs": [part(key, value) for key, value in inputs.items()],
            "changedPropIds": list(inputs) if changed is None else changed,
            "state": [part(key, value) for key, value in state.items()],
        },
    )


def page_text(client: FlaskClient, path: str) -> str:
    answer = call_back(
        client, ["main.children", "navigation.children", "languages.children"], {"url.pathname": path}, {}
    )
    assert answer.status_code == 200
    return json.dumps(answer.get_json()["response"]["main"], ensure_ascii=False)


def test_language_follows_the_browser(client: FlaskClient) -> None:
    assert '<html lang="de">' in client.get("/", headers={"Accept-Language": "de-AT,de;q=0.9"}).text
    assert '<html lang="en">' in client.get("/", headers={"Accept-Language": "fr"}).text


def test_fixed_language_beats_the_browser_and_choice_beats_both(data: Any) -> None:
    client = create_app(data, language="de").server.test_client()
    assert '<html lang="de">' in client.get("/", headers={"Accept-Language": "en"}).text
    client.get("/setlang/en")
    assert '<html lang="en">' in client.get("/").text


def test_unknown_language_is_not_kept(client: FlaskClient) -> None:
    assert "Set-Cookie" not in client.get("/setlang/fr").headers


def test_language_switch_returns_to_the_page(client: FlaskClient) -> None:
    answer = client.get("/setlang/de?next=/compare/churn-2026")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/compare/churn-2026")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/%2fevil.example",
        "/%5cevil.example", "javascript:alert(1)", "/\t/evil.example", "evil.example", "",
    ],
)  # fmt: skip
def test_language_switch_leads_nowhere_else(client: FlaskClient, target: str) -> None:
    answer = client.get("/setlang/de", query_string={"next": target})
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize("host", ["localhost", "localhost:8050", "127.0.0.1:8050", "[::1]:8050", "LOCALHOST"])
def test_own_host_names_are_answered(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8050", "[::2]", "localhost.evil.example"]
)
@pytest.mark.parametrize("path", ["/", "/_dash-layout", "/run/latest/record.json", "/assets/style.css"])
def test_foreign_host_names_are_refused(client: FlaskClient, host: str, path: str) -> None:
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 421
    assert "gradient-net" not in answer.text


def test_headers(client: FlaskClient) -> None:
    headers = client.get("/").headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in policy["script-src"]
    assert policy["frame-ancestors"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_record_download(client: FlaskClient, record: RunRecord) -> None:
    answer = client.get("/run/latest/record.json", headers={"Accept-Language": "de"})
    assert answer.headers["Content-Disposition"] == f'attachment; filename="greenai-run-{record.id}.json"'
    content = answer.get_json()
    assert content["id"] == record.id
    assert content["energy"]["channels"][3]["energy_j"] is None
    assert content["incidents"][0]["message"] == "Der Speicherzähler ist nicht lesbar."


def test_download_of_an_unknown_run(client: FlaskClient) -> None:
    answer = client.get("/run/nope/record.json")
    assert answer.status_code == 404
    assert answer.get_json() == {"error": "No run is called nope."}


def test_unknown_things_get_a_friendly_page(client: FlaskClient) -> None:
    text = page_text(client, "/run/nope")
    assert "There is no such run" in text
    assert "greenai runs lists them all." in text
    assert "There is no such task" in page_text(client, "/compare/nope")
    assert "There is no such page" in page_text(client, "/what/ever")


def test_database_trouble_is_a_page_with_its_remedy(data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(query: RunQuery) -> None:
        raise StoreError(Text(de="gesperrt", en="locked"), Text(de="warten", en="wait a moment"))

    monkeypatch.setattr(data, "run_page", fail)
    title, page = page_for("/", data, "en")
    assert title == "The data cannot be reached"
    assert "wait a moment" in str(page)


def test_run_page_shows_figures_with_their_quality_and_interval(client: FlaskClient) -> None:
    text = page_text(client, "/run/latest")
    assert "11.6\u202fWh" in text
    assert "with about 95% confidence between 10.9\u202fWh and 12.3\u202fWh" in text
    assert "estimated" in text
    assert "96% measured, 4% estimated" in text
    assert "factor unverified" in text
    assert "Umweltbundesamt" in text
    assert "sudo greenai agent install" in text


def test_run_without_figures_gives_reasons_and_no_zero(client: FlaskClient) -> None:
    text = page_text(client, "/run/unmeasured")
    assert "No counted channel delivered a value." in text
    assert "The grid zone is not set." in text
    assert "No power readings are stored" in text
    assert "0\u202fJ" not in text


def test_a_run_whose_readings_were_dropped_says_when(data: Any) -> None:
    (unmeasured,) = [record for record in data.records if record.name == "unmeasured"]
    data.records = [replace(unmeasured, samples_dropped_ms=1_795_262_400_000)]
    client = cast("FlaskClient", create_app(data).server.test_client())
    text = page_text(client, f"/run/{unmeasured.id}")
    assert "were dropped on 2026-11-21" in text
    assert "No power readings are stored" not in text


def test_comparison_page(client: FlaskClient) -> None:
    text = page_text(client, "/compare/churn-2026")
    assert "The classical solution needs less energy and is no worse on these data." in text
    assert "95% interval: 72.4 to 88.6" in text
    assert "nobody has set them" in text
    assert "Only three runs of each solution." in text
    assert "Not comparable: different units." in page_text(client, "/compare/digits")


def test_missing_side_names_the_command(client: FlaskClient) -> None:
    text = page_text(client, "/compare/only-ai")
    assert "greenai run --task only-ai --approach classical -- python baseline.py" in text


def test_empty_database_shows_how_to_begin(empty_data: Any) -> None:
    client = create_app(empty_data).server.test_client()
    assert "greenai run -- python train.py" in page_text(client, "/")
    assert "--approach classical" in page_text(client, "/compare")


NO_FILTER = {f"runs-{name}.value": None for name in ("project", "task", "approach", "state", "text")}


def rows(client: FlaskClient, request: dict[str, Any], **filters: str) -> Any:
    state = NO_FILTER | {f"runs-{name}.value": value for name, value in filters.items()}
    outputs = ["runs-grid.getRowsResponse", "runs-count.children"]
    answer = call_back(client, outputs, {"runs-grid.getRowsRequest": request}, state)
    return answer.get_json()["response"]


def test_rows_are_sorted_and_cut_by_the_database(client: FlaskClient, data: Any) -> None:
    request = {"startRow": 100, "endRow": 200, "sortModel": [{"colId": "total_j", "sort": "asc"}]}
    response = rows(client, request, state="completed", text="forest")
    assert data.queries[-1] == RunQuery(
        state="completed", text="forest", sort="total_j", descending=False, offset=100, limit=100
    )
    assert len(response["runs-grid"]["getRowsResponse"]["rowData"]) == 44
    assert response["runs-count"]["children"] == "144 runs"


def test_rows_read_well_and_unknown_is_a_dash(client: FlaskClient) -> None:
    client.set_cookie("greenai_language", "de")
    first, second = rows(client, {"startRow": 0, "endRow": 2})["runs-grid"]["getRowsResponse"]["rowData"]
    assert first["total_j"] == "11,6\u202fWh"
    assert first["interval"] == "10,9\u202fWh bis 12,3\u202fWh"
    assert first["quality"] == "geschätzt"
    assert (second["total_j"], second["location_g"], second["quality"]) == ("–", "–", "–")


def test_unknown_sort_column_is_ignored() -> None:
    query = runs.query_of({"startRow": 0, "endRow": 50, "sortModel": [{"colId": "user; --", "sort": "asc"}]}, {})
    assert query == RunQuery(limit=50)


def test_a_huge_request_is_cut() -> None:
    assert runs.query_of({"startRow": 0, "endRow": 10**9}, {}).limit == runs.BLOCK_ROWS


def look_for_news(client: FlaskClient, known: str) -> Any:
    outputs = ["runs-version.data", "runs-empty.hidden", "runs-panel.hidden"]
    return call_back(client, outputs, {"runs-poll.n_intervals": 1}, {"runs-version.data": known})


def test_no_news_changes_nothing_and_news_is_noticed(client: FlaskClient, data: Any, record: RunRecord) -> None:
    version = look_for_news(client, "").get_json()["response"]["runs-version"]["data"]
    assert look_for_news(client, version).status_code == 204
    assert data.refreshed == 2
    data.records.append(replace(record, id="new", state=RunState.RUNNING))
    assert look_for_news(client, version).get_json()["response"]["runs-version"]["data"] != version


def test_first_run_replaces_the_empty_state(empty_data: Any, record: RunRecord) -> None:
    client = create_app(empty_data).server.test_client()
    version = look_for_news(client, "").get_json()["response"]["runs-version"]["data"]
    empty_data.records.append(record)
    response = look_for_news(client, version).get_json()["response"]
    assert response["runs-empty"]["hidden"] is True
    assert response["runs-panel"]["hidden"] is False


def draw_again(
    client: FlaskClient, record: RunRecord, asked_by: str, relayout: Any = None, stretch: str = "recent"
) -> Any:
    outputs = [
        "run-trace.figure", "run-trace-frame.hidden", "run-trace-empty.hidden", "run-stretch-frame.hidden",
        "run-trace.relayoutData",
    ]  # fmt: skip
    inputs = {
        "run-trace.relayoutData": relayout,
        "run-version.data": "x",
        "run-poll.n_intervals": 1,
        "run-stretch.value": stretch,
    }
    return call_back(client, outputs, inputs, {"run-key.data": {"id": record.id, "unit": "s"}}, [asked_by])


@pytest.fixture
def running(data: Any, record: RunRecord) -> RunRecord:
    """The run of the run page, not at its end yet."""
    data.records[0] = replace(record, state=RunState.RUNNING, ended_ms=None)
    return cast("RunRecord", data.records[0])


def test_the_trace_of_a_running_run_follows(client: FlaskClient, data: Any, running: RunRecord) -> None:
    assert "Last 10 minutes" in page_text(client, "/run/latest")
    shown = draw_again(client, running, "run-poll.n_intervals").get_json()["response"]
    assert len(data.followed) == 2
    assert shown["run-stretch-frame"]["hidden"] is False
    axis = shown["run-trace"]["figure"]["layout"]["xaxis"]
    assert (axis["range"], axis["title"]["text"]) == ([-10, 0], "Time before now (min)")
    assert shown["run-trace"]["figure"]["data"][0]["x"][-1] == 0
    zoom = {"xaxis.range[0]": -3.0, "xaxis.range[1]": -2.0}
    assert draw_again(client, running, "run-poll.n_intervals", relayout=zoom).status_code == 204
    assert draw_again(client, running, "run-trace.relayoutData", relayout={"autosize": True}).status_code == 204
    back = draw_again(client, running, "run-trace.relayoutData", relayout={"xaxis.autorange": True})
    assert back.get_json()["response"]["run-trace"]["figure"]["layout"]["xaxis"]["range"] == [-10, 0]


def test_the_whole_of_a_running_run_is_drawn_when_there_is_news(
    client: FlaskClient, data: Any, running: RunRecord
) -> None:
    assert draw_again(client, running, "run-poll.n_intervals", stretch="whole").status_code == 204
    zoom = {"xaxis.range[0]": -3.0, "xaxis.range[1]": -2.0}  # minutes before now: it means nothing here
    answer = draw_again(client, running, "run-stretch.value", relayout=zoom, stretch="whole")
    assert answer.get_json()["response"]["run-trace"]["relayoutData"] is None
    assert data.cuts[-1] == (None, None)
    assert "range" not in answer.get_json()["response"]["run-trace"]["figure"]["layout"]["xaxis"]
    assert draw_again(client, running, "run-version.data", stretch="whole").status_code == 200


def test_the_trace_of_an_ended_run_is_the_whole_run(client: FlaskClient, data: Any, record: RunRecord) -> None:
    ended = draw_again(client, record, "run-version.data").get_json()["response"]
    assert ended["run-stretch-frame"]["hidden"] is True
    assert data.cuts[-1] == (None, None)
    assert draw_again(client, record, "run-poll.n_intervals").status_code == 204


def test_a_running_run_whose_journals_are_elsewhere(
    client: FlaskClient, data: Any, running: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "live_trace", lambda *_, **__: ())
    draw_again(client, running, "run-poll.n_intervals")
    assert data.cuts[-1] == (running.started_ms + running.duration_s * 1000 - 600_000, None)


def words(node: Any) -> str:
    """Return the text of plain components."""
    if isinstance(node, list):
        return " ".join(words(one) for one in node)
    return words(node["props"]["children"]) if isinstance(node, dict) else str(node or "")


def look_now(client: FlaskClient, record: RunRecord) -> Any:
    answer = call_back(
        client, ["run-now-content.data"], {"run-poll.n_intervals": 1}, {"run-key.data": {"id": record.id}}
    )
    return answer.get_json()["response"]["run-now-content"]["data"]


def test_power_now_on_the_run_page_ends_with_the_run(client: FlaskClient, data: Any, running: RunRecord) -> None:
    said = words(look_now(client, running))
    assert "226\u202fW" in said
    assert "mean of the last minute" in said
    assert "Source: nvml_energy, rapl_powercap" in said
    data.records[0] = replace(running, state=RunState.KILLED)
    assert look_now(client, running) is None


def look_again(client: FlaskClient, *, hidden: bool) -> Any:
    outputs = ["live-content.data", "live-others.children", "live.hidden"]
    return call_back(client, outputs, {"live-poll.n_intervals": 1}, {"live.hidden": hidden})


def test_the_strip_shows_what_runs_and_vanishes_with_it(
    client: FlaskClient, data: Any, running: RunRecord
) -> None:
    client.set_cookie("greenai_language", "de")
    response = look_again(client, hidden=True).get_json()["response"]
    assert response["live"]["hidden"] is False
    said = words(response["live-content"]["data"])
    for part in (
        "Gerade läuft 1 Lauf",
        running.name,
        "node-1",
        "226\u202fW",
        "11,6\u202fWh",
        "geschätzt",
        "0 bis ",
    ):
        assert part in said
    data.records[0] = replace(running, state=RunState.COMPLETED)
    assert look_again(client, hidden=False).get_json()["response"]["live"]["hidden"] is True
    assert look_again(client, hidden=True).status_code == 204


def test_at_most_twelve_cards(client: FlaskClient, data: Any, running: RunRecord) -> None:
    data.records += [replace(running, id=f"more-{number}") for number in range(14)]
    response = look_again(client, hidden=False).get_json()["response"]
    heading, cards = response["live-content"]["data"]
    assert words(heading) == "15 runs are running now"
    assert len(cards["props"]["children"]) == 12
    assert response["live-others"]["children"] == "and 3 more in the table"


def test_trouble_is_said_and_unknown_power_is_a_dash(client: FlaskClient, data: Any, running: RunRecord) -> None:
    row = data.run_page(RunQuery(state="running")).rows[0]
    blank: dict[str, Any] = {"quality": None, "t_ms": (), "curve_w": ()}
    data.now[running.id] = data.live_of(row, None, silent_s=14.2, **blank)
    said = words(look_again(client, hidden=False).get_json()["response"]["live-content"]["data"])
    assert "no reading for 14\u202fs" in said
    assert "Power now –" in said
    assert "unknown" in said
    data.now[running.id] = data.live_of(row, None, silent_s=None, hosts=(), methods=(), **blank)
    said = words(look_again(client, hidden=False).get_json()["response"]["live-content"]["data"])
    assert "journal out of reach from here" in said


@given(
    curve_w=st.lists(st.none() | st.floats(0, 5000, allow_nan=False), min_size=1, max_size=60),
    top_w=st.floats(5000, 6000),
)
def test_areas_stay_inside_and_leave_gaps_out(curve_w: list[float | None], top_w: float) -> None:
    t_ms = [1_000_000.0 + 5000 * index for index in range(len(curve_w))]
    paths = live.area_paths(t_ms, curve_w, top_w)
    stretches = "".join(" " if power_w is None else "x" for power_w in curve_w).split()
    assert len(paths) == len(stretches)
    for path, stretch in zip(paths, stretches, strict=True):
        corners = [tuple(float(part[:-1]) for part in corner.split()) for corner in path[8:-1].split(", ")]
        assert all(-0.01 <= x <= 100.01 and -0.01 <= y <= 100.01 for x, y in corners)
        assert [x for x, _ in corners] == sorted(x for x, _ in corners)
        width = corners[-1][0] - corners[0][0]
        assert width == pytest.approx(len(stretch) * 100 / 60, abs=0.05)


def test_zoom_loads_the_stretch_afresh(client: FlaskClient, data: Any, record: RunRecord) -> None:
    zoom = {"xaxis.range[0]": 100.0, "xaxis.range[1]": 110.0}
    answer = draw_again(client, record, "run-trace.relayoutData", relayout=zoom)
    line = answer.get_json()["response"]["run-trace"]["figure"]["data"][0]
    assert data.cuts[-1] == pytest.approx((record.started_ms + 99_800, record.started_ms + 110_200))
    assert 99 < min(line["x"]) < max(line["x"]) < 111


def test_apps_are_independent(data: Any, empty_data: Any) -> None:
    full, empty = create_app(data), create_app(empty_data)
    assert "gradient-net" in page_text(full.server.test_client(), "/run/latest")
    assert "There is no such run" in page_text(empty.server.test_client(), "/run/latest")


def test_serve_answers_and_stops_at_ctrl_c(data: Any) -> None:
    seen: list[tuple[str, int, int]] = []

    def status_of(url: str, host: str) -> int:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        connection.request("GET", "/", headers={"Host": host})
        status = connection.getresponse().status
        connection.close()
        return status

    def visit(url: str) -> None:
        try:
            seen.append((url, status_of(url, "localhost"), status_of(url, "evil.example")))
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    visitors: list[threading.Thread] = []

    def ready(url: str) -> None:
        visitors.append(threading.Thread(target=visit, args=(url,)))
        visitors[0].start()

    serve(data, port=0, on_ready=ready)
    visitors[0].join()
    ((url, own, foreign),) = seen
    assert url.startswith("http://127.0.0.1:")
    assert (own, foreign) == (200, 421)


def test_port_in_use_names_the_remedy(data: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError) as caught:
        serve(data, port=taken.getsockname()[1])
    assert caught.value.remedy is not None
    assert "greenai dashboard --port" in caught.value.remedy.en


@pytest.mark.parametrize(("host", "port"), [("no-such-host.invalid", 0), ("127.0.0.1", 70_000)])
def test_bad_address_is_a_configuration_error(data: Any, host: str, port: int) -> None:
    with pytest.raises(ConfigError):
        serve(data, host=host, port=port)
