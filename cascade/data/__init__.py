"""Facts shipped with Cascade: what OpenAI's models cost and can do, in `models.json`.

The only place that reads a data file. The numbers are dated (`as_of`) and kept by hand from the
provider's published price list; `cascade.core.model_table` gives them meaning.
"""

from __future__ import annotations

from functools import cache

from cascade.core.model_table import ModelTable

__all__ = ["model_table"]


@cache
def model_table() -> ModelTable:
    """The shipped table, read on the first call and kept for the life of the process."""
    # Imported here so that importing the package stays light and reads nothing.
    import json  # noqa: PLC0415
    from importlib.resources import files  # noqa: PLC0415

    text = files(__name__).joinpath("models.json").read_text(encoding="utf-8")
    return ModelTable.from_dict(json.loads(text))
