"""Gateways to be measured, each in a process of its own, before one upstream.

"nothing" is the upstream itself: what remains when there is no gateway. LiteLLM's proxy lives in an
environment of its own, because it pins other versions of the SDK; it is left out where there is
none. The benchmark can make one, given a folder.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.overhead import ROOT, pinned
from benchmarks.provider import CHEAP, DEAR

GATEWAY_CORE, OTHER_CORE = 0, 1

PATIENCE_S = 180.0
"""How long a gateway may take to begin; under valgrind that is long."""

STOP_S = 30.0

CALLS, STREAMS = "calls", "streams"
"""The chains of the gateway: two tiers judged by their log-probabilities; one tier, passed on."""

JUDGED = """
[[tier]]
model = "{model}"
threshold = 0.9
scorer = {{ use = "logprob_confidence" }}
"""

CHAINS = {
    CALLS: JUDGED.format(model=CHEAP) + f'[[tier]]\nmodel = "{DEAR}"\n',
    STREAMS: JUDGED.format(model=CHEAP),
}

LITELLM = (
    "litellm[proxy]",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp",
)
"""Without OpenTelemetry that proxy tries to import it with every request, and takes twice
as long."""

MASTER_KEY = "sk-benchmark-master-key"

LITELLM_CONFIG = """
model_list:
  - model_name: {model}
    litellm_params: {{ model: "openai/{model}", api_base: "{upstream}/v1", api_key: sk-benchmark }}
general_settings: {{ master_key: {key} }}
litellm_settings: {{ telemetry: false }}
"""


@dataclass(frozen=True)
class Gateway:
    """How a gateway is started and asked.

    Attributes:
        name: in tables.
        command: that serves it; empty where somebody serves already.
        port: where it listens.
        ready: a path that answers once it is there.
        key: that callers give.
        calls: model name for whole answers.
        streams: and for streamed ones.
        env: beside the environment of this process.
    """

    name: str
    command: tuple[str, ...]
    port: int
    ready: str = "/counts"
    key: str = ""
    calls: str = CHEAP
    streams: str = CHEAP
    env: Mapping[str, str] = field(default_factory=dict)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def nothing(upstream: int, folder: Path) -> Gateway:  # noqa: ARG001  as the others
    """The upstream itself."""
    return Gateway("nothing", (), upstream)


def _naive(kind: str, upstream: int) -> Gateway:
    port = free_port()
    place = f"http://127.0.0.1:{upstream}"
    command = (sys.executable, "-m", "benchmarks.naive_gateway", place, str(port), kind)
    return Gateway(f"naive ({kind})", command, port)


def naive_h11(upstream: int, folder: Path) -> Gateway:  # noqa: ARG001
    """uvicorn as it comes, aiohttp, and nothing else: the reference."""  # noqa: D403
    return _naive("h11", upstream)


def naive_httptools(upstream: int, folder: Path) -> Gateway:  # noqa: ARG001
    """The same with a parser and an event loop in C."""
    return _naive("httptools", upstream)


def cascade(upstream: int, folder: Path) -> Gateway:
    """`cascade serve` with a key, budgets, rates, scoring and traces; nothing is switched off."""
    from cascade.accounts import Accounts  # noqa: PLC0415  loads SQLAlchemy

    database = folder / "gateway.db"
    with Accounts(str(database)) as accounts:
        _, secret = accounts.create(
            "benchmark",
            budget_day_usd="100000",
            budget_month_usd="1000000",
            requests_per_minute=100_000_000,
            tokens_per_minute=2_000_000_000,
        )
    port = free_port()
    command = [sys.executable, "-m", "cascade.cli", "serve"]
    for name, chain in CHAINS.items():
        path = folder / f"{name}.toml"
        path.write_text(f'name = "{name}"\n{chain}')
        command += ["--chain", str(path)]
    command += ["--port", str(port), "--database", str(database)]
    env = {"OPENAI_BASE_URL": f"http://127.0.0.1:{upstream}/v1", "OPENAI_API_KEY": "sk-benchmark"}
    return Gateway("cascade", tuple(command), port, "/healthz", secret, CALLS, STREAMS, env)


def litellm(upstream: int, folder: Path, venv: Path) -> Gateway:
    """LiteLLM's proxy: one worker, a master key, no database."""
    config = folder / "litellm.yaml"
    place = f"http://127.0.0.1:{upstream}"
    config.write_text(LITELLM_CONFIG.format(model=CHEAP, upstream=place, key=MASTER_KEY))
    port = free_port()
    command = (str(venv / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1")
    return Gateway(
        "litellm proxy",
        (*command, "--port", str(port), "--num_workers", "1"),
        port,
        "/health/liveliness",
        MASTER_KEY,
        env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "PYTHONPATH": ""},
    )


def make_litellm(venv: Path) -> None:
    """Make the environment of LiteLLM's proxy, where it is not there yet."""
    if (venv / "bin" / "litellm").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)  # noqa: S603
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", *LITELLM]
    subprocess.run(pip, check=True)  # noqa: S603


OURS = {
    "nothing": nothing,
    "naive_h11": naive_h11,
    "naive_httptools": naive_httptools,
    "cascade": cascade,
}


# Processes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Served:
    """A gateway that runs.

    Attributes:
        gateway: which.
        pid: its process; `None` where it has none of its own.
        start_s: until it answered.
    """

    gateway: Gateway
    pid: int | None = None
    start_s: float = 0.0

    def tree(self) -> list[int]:
        """Its process and those under it."""
        found: list[int] = []
        more = [] if self.pid is None else [self.pid]
        while more:
            pid = more.pop()
            found.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                with suppress(OSError):
                    more += map(int, children.read_text().split())
        return found

    def cpu_s(self) -> float:
        """CPU seconds so far, user and system, of all threads, those that ended included."""
        return sum(time.clock_gettime(_clock_of(pid)) for pid in self.tree())

    def loop_s(self) -> float:
        """The same of the first thread of its process alone: in all of them, the event loop's."""
        if self.pid is None:
            return 0.0
        return int(Path(f"/proc/{self.pid}/task/{self.pid}/schedstat").read_text().split()[0]) / 1e9

    def rss_mb(self) -> float:
        """Resident memory."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.tree())
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _clock_of(pid: int) -> int:
    """The clock of a process's CPU time, as Linux numbers them."""
    return (~pid << 3) | 2


@contextmanager
def served(gateway: Gateway, folder: Path, *wrapper: str) -> Iterator[Served]:
    """Start a gateway, wait until it answers, and stop it in the end."""
    if not gateway.command:
        yield Served(gateway)
        return
    log = folder / f"{gateway.name}.log"
    begun = time.perf_counter()
    with ExitStack() as stack:
        out = stack.enter_context(log.open("wb"))
        process = subprocess.Popen(  # noqa: S603  programs of ours, or the user's own environment
            [*wrapper, *gateway.command],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **gateway.env},
            preexec_fn=pinned(GATEWAY_CORE),  # noqa: PLW1509  no threads here
        )
        stack.callback(_stop, process)
        while not _answers(gateway):
            if process.poll() is not None or time.perf_counter() - begun > PATIENCE_S:
                raise RuntimeError(f"{gateway.name} does not begin:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield Served(gateway, process.pid, time.perf_counter() - begun)


def _answers(gateway: Gateway) -> bool:
    address = f"http://127.0.0.1:{gateway.port}{gateway.ready}"
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
