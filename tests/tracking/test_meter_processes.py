"""Services in real processes: workers, kills, exits, and a sensor whose truth is known."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from greenai.core.record import RunRecord

    Records = Callable[..., list[RunRecord]]
    Start = Callable[..., subprocess.Popen[str]]
    Program = Callable[..., tuple[int, str, str]]
    Until = Callable[..., None]

# A counter of 100 W, and of 500 W from the moment TRUTH_BEGIN to TRUTH_END (monotonic seconds).
SENSOR = """
import os, time
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available
from greenai.core.reading import CounterReading

BEGIN, END = float(os.environ["TRUTH_BEGIN"]), float(os.environ["TRUTH_END"])

class Truth:
    name, slow, verified_on = "truth", False, None

    def __init__(self, host):
        self._channel = Channel(
            id="truth:0", collector="truth", component=Component.NODE, kind=Kind.COUNTER, quality=Quality.MEASURED,
            device="node", host=host.name, method="ipmi", uncertainty_rel=0.01, max_power_uw=10**10,
        )

    def probe(self):
        return Available((self._channel,))

    def open(self, channels):
        pass

    def read(self):
        t_ns = time.monotonic_ns()
        t_s = t_ns / 1e9
        energy_j = 100 * (t_s - BEGIN + 1000) + 400 * (min(max(t_s, BEGIN), END) - BEGIN)
        return [CounterReading("truth:0", t_ns, int(energy_j * 1e6))]

    def close(self):
        pass
"""


@pytest.fixture
def truth(tmp_path: Path) -> Callable[[float, float], dict[str, str]]:
    """Make the sensor; give the environment in which it draws more from one second from now to another."""
    plugin = tmp_path / "plugin"
    (plugin / "truth-1.dist-info").mkdir(parents=True)
    (plugin / "truth.py").write_text(SENSOR)
    (plugin / "truth-1.dist-info/entry_points.txt").write_text("[greenai.collectors]\ntruth = truth:Truth\n")

    def environ(begin_s: float, end_s: float) -> dict[str, str]:
        now_s = time.monotonic()
        limits = {"TRUTH_BEGIN": str(now_s + begin_s), "TRUTH_END": str(now_s + end_s)}
        return {**os.environ, **limits, "PYTHONPATH": str(plugin)}

    return environ


def channel_j(record: RunRecord) -> float:
    (energy_j,) = [row.energy_j for row in record.energy.channels if row.id == "truth:0"]
    assert energy_j is not None
    return energy_j


BURST = """
import os, time
import greenai
begin, end = float(os.environ["TRUTH_BEGIN"]), float(os.environ["TRUTH_END"])
meter = greenai.InferenceMeter(interval_s=1)
time.sleep(begin - time.monotonic())
with meter.request():
    time.sleep(end - time.monotonic())
time.sleep(0.8)
"""


@pytest.mark.slow
def test_a_burst_gets_its_own_energy(program: Program, records: Records, truth: Any) -> None:
    """0.3 s at 500 W between readings of 1 Hz: 150 J, not the second's mean."""
    code, _, err = program(BURST, env=truth(2.0, 2.3))
    assert (code, err) == (0, "")
    (record,) = records()
    assert record.state is RunState.COMPLETED
    assert [incident.code for incident in record.incidents if incident.code == "run_left_open"] == []
    found = record.requests
    assert found is not None
    assert found.busy_s == pytest.approx(0.3, abs=0.05)
    assert found.busy_j == pytest.approx(150, rel=0.1)
    assert found.idle_j == pytest.approx(channel_j(record) - 150, rel=0.1)
    assert found.energy_per_request_p50_j == pytest.approx(found.busy_j, rel=0.03)


SERVICE = """
import sys, time
import greenai
meter = greenai.InferenceMeter("svc", interval_s=0.2)
print("ready", flush=True)
while True:
    with meter.request():
        time.sleep(0.05)
    time.sleep(0.05)
"""


@pytest.mark.slow
def test_a_killed_service_keeps_its_requests(
    start: Start, records: Records, until: Until, tmp_path: Path, truth: Any
) -> None:
    of_minute_s = time.time() % 60
    if of_minute_s > 50:  # histograms are written at its end
        time.sleep(60.1 - of_minute_s)
    process = start(SERVICE, env=truth(0, 0))
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(3)
    process.kill()
    process.wait()
    until(lambda: records()[0].state is RunState.KILLED)
    (record,) = records()
    found = record.requests
    assert found is not None
    assert found.busy_j is not None
    assert found.count >= 20
    assert found.busy_s == pytest.approx(0.05 * found.count, rel=0.3)
    assert found.busy_j == pytest.approx(100 * found.busy_s, rel=0.05)
    assert found.energy_per_request_j == pytest.approx(5, rel=0.3)
    assert found.energy_per_request_p50_j is None, "the histogram of the minute is lost, and nothing is guessed"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "code", "state", "error"),
    [
        ("", 0, RunState.COMPLETED, None),
        ("sys.exit(3)", 3, RunState.COMPLETED, None),
        ("raise ValueError", 1, RunState.FAILED, "ValueError"),
    ],
)
def test_the_end_of_the_program_closes_the_meter(
    program: Program, records: Records, ending: str, code: int, state: RunState, error: str | None
) -> None:
    source = f"import sys, greenai\nmeter = greenai.InferenceMeter()\n@meter\ndef f(): pass\nf()\n{ending}\n"
    assert program(source)[0] == code
    (record,) = records()
    assert (record.state, record.error) == (state, error)
    assert record.requests is not None
    assert (record.requests.count, record.requests.energy_per_request_p50_j is not None) == (1, True)


PREFORK = """
import os, sys, time
import greenai
meter = greenai.InferenceMeter("svc", interval_s=0.2)

@meter
def predict():
    time.sleep(0.02)

predict()
children = []
for _ in range(3):
    pid = os.fork()
    if not pid:
        for _ in range(20):
            predict()
        sys.exit()
    children.append(pid)
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
meter.close()
print(meter.result.requests.count, flush=True)
"""


@pytest.mark.slow
def test_forked_workers_join_the_run(program: Program, records: Records, truth: Any) -> None:
    code, out, err = program(PREFORK, env=truth(0, 0))
    assert (code, out, err) == (0, "61\n", "")
    (record,) = records()
    found = record.requests
    assert found is not None
    assert (found.count, found.failed, found.units) == (61, 0, 61)
    assert found.busy_j is not None
    assert found.idle_j is not None
    assert found.busy_j + found.idle_j == pytest.approx(record.energy_j, rel=1e-6)
    assert found.busy_j == pytest.approx(100 * found.busy_s, rel=0.1)
    assert 0.3 < found.busy_s < 0.05 * 61
    # All of them have a histogram: workers that end say their last word.
    assert found.energy_per_request_p50_j is not None
    assert found.energy_per_request_p50_j == pytest.approx(found.energy_per_request_j, rel=0.6)


FORK_WHILE_BUSY = """
import os, sys, threading, time
import greenai
meter = greenai.InferenceMeter("svc", interval_s=0.2)
stop = False

def load():
    while not stop:
        with meter.request():
            pass

threads = [threading.Thread(target=load) for _ in range(4)]
for thread in threads:
    thread.start()
with meter.request():
    for _ in range(30):
        pid = os.fork()
        if not pid:
            with meter.request():
                os._exit(0)
        os.waitpid(pid, 0)
stop = True
for thread in threads:
    thread.join()
meter.close()
print(meter.result.state.value)
"""


@pytest.mark.slow
def test_forks_at_any_moment_do_not_hang(program: Program, records: Records) -> None:
    """A lock that another thread holds at the moment of a fork stays locked in the child for ever."""
    code, out, _ = program(FORK_WHILE_BUSY)
    assert (code, out) == (0, "completed\n")
    (record,) = records()
    assert record.requests is not None
    assert record.requests.failed == 0


POOL = """
import multiprocessing, time
import greenai

meter = greenai.InferenceMeter("svc", interval_s=0.2)

@meter
def predict(x):
    time.sleep(0.01)
    return x * x

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    with context.Pool(2) as pool:
        print(sum(pool.map(predict, range(40))))
        pool.close()
        pool.join()
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_multiprocessing(program: Program, records: Records, method: str) -> None:
    code, out, err = program(POOL.format(method=method))
    assert (code, out) == (0, "20540\n"), err
    (record,) = records()
    assert record.requests is not None
    assert record.requests.count == 40
    assert record.requests.energy_per_request_p50_j is not None
    assert record.state is RunState.COMPLETED


SIBLING = """
import sys, time
import greenai
meter = greenai.InferenceMeter("svc", interval_s=0.2)
for _ in range(int(sys.argv[1])):
    with meter.request():
        time.sleep(0.01)
time.sleep(1.5 - 0.01 * int(sys.argv[1]))
"""
SIBLINGS = """
import subprocess, sys
children = [subprocess.Popen([sys.executable, sys.argv[1], str(n)]) for n in (20, 40, 60)]
sys.exit(max(child.wait() for child in children))
"""


@pytest.mark.slow
def test_workers_that_each_make_their_own_meter_are_one_service(
    program: Program, records: Records, tmp_path: Path
) -> None:
    script = tmp_path / "worker.py"
    script.write_text(SIBLING)
    assert program(SIBLINGS, str(script))[0] == 0
    (record,) = records()
    assert record.requests is not None
    assert record.requests.count == 120
    assert record.requests.busy_j is not None
    assert record.requests.idle_j is not None
    assert record.requests.busy_j + record.requests.idle_j == pytest.approx(record.energy_j, rel=1e-6)


@pytest.mark.slow
def test_under_the_wrapper_the_service_is_part_of_its_run(start: Start, records: Records) -> None:
    process = start(SIBLING, "30", prefix=[sys.executable, "-m", "greenai", "run", "--name", "outer", "--"])
    process.communicate(timeout=60)
    assert process.returncode == 0
    (record,) = records()
    assert (record.name, record.work.unit) == ("outer", "request")
    assert record.requests is not None
    assert record.requests.count == 30
    assert record.requests.busy_s == pytest.approx(0.3, abs=0.25)


@pytest.mark.slow
def test_a_signal_handler_that_closes_the_meter(start: Start, records: Records) -> None:
    source = SERVICE.replace("print(", "import signal\nsignal.signal(signal.SIGTERM, lambda *_: (meter.close(), sys.exit()))\nprint(").replace("0.05", "0.0")  # fmt: skip
    process = start(source)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    (record,) = records()
    assert record.state is RunState.COMPLETED
    assert record.requests is not None
    assert record.requests.count > 100


@pytest.mark.slow
def test_the_journal_of_a_service_says_so(program: Program, tmp_path: Path) -> None:
    program("import greenai\ngreenai.InferenceMeter().close()\n")
    metas = [json.loads(path.read_text().splitlines()[0])["meta"] for path in tmp_path.glob("spool/*/*.jsonl")]
    assert any(meta.get("service") for meta in metas)


@pytest.mark.slow
def test_the_example(program: Program, records: Records) -> None:
    source = (Path(__file__).parents[2] / "examples" / "meter_a_service.py").read_text(encoding="utf-8")
    code, out, err = program(source.replace("SECONDS = 6.0", "SECONDS = 1.0"))
    assert (code, err) == (0, "")
    (record,) = records()
    assert record.requests is not None
    assert out.startswith(f"{record.requests.count} requests: ")
    assert record.requests.tokens is not None
    assert record.requests.count % 25 == 0
