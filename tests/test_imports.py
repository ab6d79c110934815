"""Importing stays light: what takes long is loaded when it is first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("openai", "numpy", "structlog", "rich", "sqlalchemy", "httpx2", "tenacity", "typer",
         "jsonschema", "regex", "pandas", "xllamacpp")  # fmt: skip

CHAIN = """
from cascade import Cascade, Price, Tier
llm = Cascade([Tier("low", scorer=lambda draft: True, price=Price.free()), Tier("gpt-5.5")])
"""

ASKED = """
from cascade import Cascade, Price, Tier
from cascade.testing import ScriptedModels
tiers = [Tier("low", scorer=lambda draft: True, price=Price.free()), Tier("gpt-5.5")]
assert Cascade(tiers, models=ScriptedModels({"low": "x"})).complete("x").text == "x"
"""


def loaded(code):
    """Modules that a fresh interpreter holds after running the code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "light"),
    [
        ("import cascade", (*HEAVY, "asyncio", "cascade.core", "decimal")),
        ("from cascade import Tier, Price, Score, Draft", (*HEAVY, "asyncio")),
        (CHAIN, HEAVY),
        (ASKED, HEAVY),
    ],
    ids=["import cascade", "values", "a chain", "a scripted request"],
)
def test_heavy_packages_stay_out(code, light):
    """Neither the SDK nor numpy is loaded by the import, by values, or by building a chain."""
    assert loaded(code).isdisjoint(light)
