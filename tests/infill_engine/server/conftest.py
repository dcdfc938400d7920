"""Real engine processes with a scripted engine, each test with a runtime folder of its own."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from infill_engine.process_state import RUNTIME_DIR_VARIABLE, EngineState, read_state

SCRIPT = Path(__file__).parent / "scripted_engine_process.py"
StartEngine = Callable[..., "RunningEngine"]


class RunningEngine:
    def __init__(self, process: subprocess.Popen[str], state: EngineState) -> None:
        self.process = process
        self.state = state
        self.log = Path()
        self.http = httpx.Client(
            base_url=state.url,
            headers={"Authorization": f"Bearer {state.token}"},
            trust_env=False,
            timeout=20,
        )

    def health(self) -> dict[str, object]:
        return self.http.get("/v1/health").json()

    def wait_for(self, **expected: object) -> None:
        """Poll the health until it shows all of `expected`."""
        for _ in range(1000):
            health = self.health()
            if all(health[name] == value for name, value in expected.items()):
                return
            time.sleep(0.01)
        raise AssertionError(f"never {expected}; last {health}")

    def infill(self, prefix: str, document: str = "") -> list[tuple[str, str]]:
        """Return the events of one request as (name, JSON)."""
        answer = self.http.post(
            "/v1/infill",
            json={"prefix": prefix, "suffix": ""},
            headers={"X-Infill-Document": document},
        )
        assert answer.status_code == 200, answer.text
        lines = [line for line in answer.text.splitlines() if not line.startswith(":")]
        values = [line.partition(": ")[2] for line in lines if line]
        return list(zip(values[::2], values[1::2], strict=True))


@contextlib.contextmanager
def engine_starter() -> Iterator[StartEngine]:
    """Yield a function that starts engines; they end with the context."""
    with contextlib.ExitStack() as stack:

        def start(*options: str, until: str = "ready") -> RunningEngine:
            process = subprocess.Popen(
                [sys.executable, str(SCRIPT), *options], stderr=subprocess.PIPE, text=True
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            while (state := read_state()) is None or state.pid != process.pid:
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.01)
            engine = RunningEngine(process, state)
            stack.callback(engine.http.close)
            engine.wait_for(status=until)
            return engine

        yield start


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runtime"
    monkeypatch.setenv(RUNTIME_DIR_VARIABLE, str(folder))
    return folder


@pytest.fixture
def start_engine(runtime: Path) -> Iterator[StartEngine]:
    with engine_starter() as start:
        yield start


@pytest.fixture(scope="module")
def shared_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """One engine for all tests of a module that leave it as they found it."""
    folder = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch, engine_starter() as start:
        patch.setenv(RUNTIME_DIR_VARIABLE, str(folder))
        engine = start()
        engine.log = folder / "logs" / "engine.log"
        yield engine
