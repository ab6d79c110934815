"""A real browser, where there is one."""

import os
import shutil
import subprocess

import pytest


@pytest.fixture
def browse(tmp_path):
    """Opens a page in a real browser, where there is one, and gives what became of it."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine")

    def load(html):
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8")
        options = "headless no-sandbox disable-gpu disable-quic no-first-run"
        options += " disable-background-networking disable-component-update disable-sync dump-dom"
        done = subprocess.run(
            [
                chromium,
                *(f"--{option}" for option in options.split()),
                f"--user-data-dir={tmp_path / 'profile'}",
                file.as_uri(),
            ],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    return load
