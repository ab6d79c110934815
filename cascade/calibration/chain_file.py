"""A certified chain as files that anything can load: TOML, and the learned model beside it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from cascade.calibration.needs import needed
from cascade.calibration.plan import Plan, Step
from cascade.calibration.proof.certificate import Certificate
from cascade.calibration.serving import strict
from cascade.core.policy import Policy
from cascade.errors import ConfigError

__all__ = ["write_certified_chain"]


def write_certified_chain(
    certificate: Certificate, source: str | Path, path: str | Path
) -> tuple[Path, ...]:
    """Write the chain that a certificate holds, to be loaded with `load_chain`.

    Tiers keep all that the source says of them; order, thresholds and scorers are the plan's.

    Args:
        certificate: as `calibrate` made it.
        source: the chain's TOML that it was made from.
        path: where to write; a learned model goes beside it, `support.toml` with
            `support.model.json`.

    Returns:
        The files written.

    Raises:
        ConfigError: the certificate holds no chain, the source cannot be read, or the package that
            writes TOML is missing.
    """
    tomli_w = needed("tomli_w")
    chain = certificate.chain
    if chain is None:
        raise ConfigError("the certificate holds no chain: make it with `calibrate`")
    here, there = Path(path), Path(source)
    try:
        data = tomllib.loads(there.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"chain file {str(there)!r} cannot be read: {error}") from error
    model = next((m for tier in chain.tiers if (m := _model_of(tier.scorer)) is not None), None)
    written = [here]
    model_file = here.with_suffix(".model.json")
    if model is not None:
        model.save(model_file)
        written.append(model_file)
    tables = _moved(data, there.parent, here.parent)
    made = certified_data(tables, certificate.plan, model_file.name if model is not None else None)
    here.write_text(tomli_w.dumps(made), encoding="utf-8")
    return tuple(written)


def certified_data(data: Mapping[str, Any], plan: Plan, model_file: str | None) -> dict[str, Any]:
    """A chain's TOML data as a plan decides it.

    Args:
        data: the chain that was recorded.
        plan: the plan.
        model_file: name of the learned model's file; `None` where the tiers' own scorers decide.
    """
    known = {table.get("name", table.get("model")): table for table in data.get("tier", [])}
    top = plan.steps[-1]
    tiers = []
    for step in plan.steps:
        table = dict(known.get(step.asks, {"model": step.asks}))
        if step is top:
            table.pop("scorer", None)
            table.pop("threshold", None)
        else:
            table["threshold"] = step.threshold
            if model_file is not None:
                table["scorer"] = _learned(step, model_file)
        tiers.append(table)
    made = {key: value for key, value in data.items() if key not in ("tier", "entry", "policy")}
    made["policy"] = _policy(data.get("policy", {}))
    if plan.gate is not None and model_file is not None:
        made["entry"] = {
            "use": "learned_entry",
            "model_file": model_file,
            "tier": plan.steps[0].asks,
            "start_at": plan.gate.start_at,
            "threshold": plan.gate.threshold,
        }
    return {**made, "tier": tiers}


def _policy(table: Mapping[str, Any]) -> dict[str, Any]:
    """The policy as the plan is served with, where it is not the usual one."""
    usual, served = Policy(), strict(Policy(**table))
    return {
        spec.name: getattr(served, spec.name)
        for spec in fields(Policy)
        if getattr(served, spec.name) != getattr(usual, spec.name)
    }


def _learned(step: Step, model_file: str) -> dict[str, str]:
    which = {"returns": step.returns} if step.is_witness else {"judges": step.asks}
    return {"use": "learned", "model_file": model_file, **which}


def _model_of(scorer: object) -> Any:
    model = getattr(scorer, "model", None)
    return model if hasattr(model, "save") else None


def _moved(value: Any, old: Path, new: Path) -> Any:
    """The data with each `*_file` named as it is found from its new folder."""
    if isinstance(value, list):
        return [_moved(item, old, new) for item in value]
    if not isinstance(value, Mapping):
        return value
    found = {}
    for key, item in value.items():
        if key.endswith("_file") and isinstance(item, str):
            found[key] = Path(os.path.relpath(old / item, new)).as_posix()
        else:
            found[key] = _moved(item, old, new)
    return found
