"""Real `cascade serve` processes."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import cascade

ROOT = Path(cascade.__file__).parent.parent

CHAIN = """
name = "{name}"

[[tier]]
model = "small"
scorer = {{ use = "length_between", min_words = 3 }}
endpoint = {{ base_url = "{url}" }}
price = {{ input = "1", output = "2" }}

[[tier]]
model = "big"
endpoint = {{ base_url = "{url}" }}
price = {{ input = "10", output = "20" }}
"""

AT = re.compile(r"at http://(\S+?):(\d+)/v1")


class Serving:
    """A process that serves; leaving the block ends it.

    Attributes:
        port: where it listens.
        said: its standard error so far.
    """

    def __init__(self, *args, folder, env=None, largest_file_kb=None):
        self.said = ""
        command = [sys.executable, "-m", "cascade.cli", "serve", "--port", "0", *map(str, args)]
        if largest_file_kb is not None:  # to files that large, a disk is full
            shell = f'ulimit -f {largest_file_kb}; exec "$@"'
            command = ["/bin/bash", "-c", shell, "bash", *command]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={
                "PYTHONPATH": str(ROOT),
                "PATH": "/usr/bin:/bin",
                "HOME": str(folder),
                **(env or {}),
            },
        )
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._listening.wait(30)
        found = AT.search(self.said)
        self.port = int(found[2]) if found else None

    def _read(self):
        for line in self._process.stderr:
            self.said += line
            if AT.search(line):
                self._listening.set()
        self._listening.set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def signal(self, number):
        self._process.send_signal(number)

    def ended(self, within_s=30):
        """Its exit code."""
        code = self._process.wait(within_s)
        self._reader.join(10)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self._process.poll() is None:
            self._process.kill()
        self.ended()
        self._process.stderr.close()


def chain_file(folder, url, name="support"):
    path = folder / f"{name}.toml"
    path.write_text(CHAIN.format(name=name, url=url))
    return path
