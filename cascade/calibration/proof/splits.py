"""Which requests are learnt from, which certify and which are kept for watching.

The part a request falls into follows from a keyed hash of its group alone. So groups never
straddle, requests added later move none of the old ones, and nobody can choose a request's part
without the key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.fingerprint import fingerprint
from cascade.calibration.proof.copies import copies_together, what_is_asked
from cascade.calibration.recording import Recording
from cascade.errors import ConfigError, RecordingError

__all__ = ["SHARES", "Part", "Splits", "keyed_splits", "own_splits"]

Bools = NDArray[np.bool_]
Part = Literal["learn", "certify", "monitor"]

PARTS: tuple[Part, ...] = ("learn", "certify", "monitor")
SHARES = (0.5, 0.4, 0.1)
"""Of learn, certify and monitor: learning gains little beyond, certifying gains with each label."""

OWN: dict[str, Part] = {
    "learn": "learn",
    "train": "learn",
    "certify": "certify",
    "test": "certify",
    "monitor": "monitor",
}
"""What the names mean that recordings come split by."""

SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """A recording cut in three.

    Attributes:
        parts: index into learn, certify, monitor per request, shape (n,).
        shares: asked for; () where the recording came split.
        key: fingerprint of the key, "" where the recording came split. The key itself is kept
            nowhere; a short or common one can be guessed from its fingerprint.
    """

    parts: NDArray[np.int8]
    shares: tuple[float, ...] = ()
    key: str = ""

    def mask(self, part: Part) -> Bools:
        """Which requests belong to a part, shape (n,)."""
        found: Bools = self.parts == PARTS.index(part)
        return found

    def part(self, recording: Recording, part: Part) -> Recording:
        """The requests of one part.

        Raises:
            RecordingError: there is none.
        """
        keep = self.mask(part)
        if not keep.any():
            groups = set(recording.groups.tolist())
            if len(groups) == 1 < len(recording):
                raise RecordingError(
                    f"all {len(recording):,} requests are in one group only, {groups.pop()!r}, and "
                    "a group is never split: what is learnt from one request would be tested on "
                    "its relatives; give requests that do not depend on each other groups of "
                    "their own, or none"
                )
            raise RecordingError(
                f"no request of {len(recording)} fell into the part to {part}: record more, or "
                "give that part a larger share"
            )
        return recording.rows(keep)

    def share(self, part: Part) -> float:
        """The share of requests that a part was to hold, or does where they came split."""
        if self.shares:
            return self.shares[PARTS.index(part)]
        return self.size(part) / len(self.parts)

    def size(self, part: Part) -> int:
        """How many requests belong to a part."""
        return int(self.mask(part).sum())


def keyed_splits(
    groups: Recording | Sequence[str] | NDArray[np.object_],
    key: str | bytes,
    shares: tuple[float, float, float] = SHARES,
) -> Splits:
    """Split by the HMAC-SHA256 of each request's group.

    Args:
        groups: name of each request's group, shape (n,); or a recording, whose requests that ask
            exactly the same then stay together as well.
        key: the same key gives the same parts; keep it secret where those who label or choose
            requests must not know which ones certify.
        shares: of learn, certify and monitor, from 0, adding up to 1. Sizes vary around them.

    Raises:
        ConfigError: an empty key, or shares that do not add up to 1.
    """
    secret = key.encode() if isinstance(key, str) else key
    if not secret:
        raise ConfigError("the key of the splits is empty: expected a word or more")
    if len(shares) != len(PARTS) or min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:  # noqa: PLR2004
        raise ConfigError(f"shares {shares!r}: expected three from 0 that add up to 1")
    ends = np.cumsum(shares)[:-1]
    if isinstance(groups, Recording):
        groups = copies_together(groups).groups
    known = {group: _uniform(secret, str(group)) for group in set(groups)}
    places = np.array([known[group] for group in groups], float)
    parts = np.searchsorted(ends, places, side="right").astype(np.int8)
    return Splits(parts, tuple(shares), fingerprint(["key of splits", secret.hex()]))


def own_splits(recording: Recording) -> Splits:
    """The parts that a recording came split in: train is learnt from, test certifies.

    Requests that ask exactly the same go where the first part that one of them is in is: what was
    learnt from does not certify.

    Raises:
        RecordingError: a request without a part, a part by another name, or a group in two of
            them; the message names the first.
    """
    unknown = sorted({str(name) for name in recording.splits} - set(OWN))
    if unknown:
        raise RecordingError(
            f"the recording is split into {', '.join(map(repr, unknown))}: expected each request "
            f"in one of {', '.join(map(repr, OWN))}; split it by a key instead"
        )
    parts = np.array([PARTS.index(OWN[name]) for name in recording.splits], np.int8)
    recording = copies_together(recording)
    parts = _copies_first(recording, parts)
    straddling = _straddling(recording.groups, parts)
    if straddling:
        more = f" and {len(straddling) - SHOWN} more" if len(straddling) > SHOWN else ""
        raise RecordingError(
            f"groups in more than one part: {', '.join(map(repr, straddling[:SHOWN]))}{more}; "
            "what was learnt from one request would be certified on its relatives: move each "
            "group into one part, or split by a key"
        )
    return Splits(parts)


def _copies_first(recording: Recording, parts: NDArray[np.int8]) -> NDArray[np.int8]:
    """The parts, with copies of a group in the first part that one of them is in."""
    asked = [what_is_asked(request) or row for row, request in enumerate(recording.requests)]
    copies = list(zip(recording.groups.tolist(), asked, strict=True))
    first: dict[tuple[str, str | int], int] = {}
    for one, part in zip(copies, parts.tolist(), strict=True):
        first[one] = min(first.get(one, part), part)
    return np.array([first[one] for one in copies], np.int8)


def _straddling(groups: NDArray[np.object_], parts: NDArray[np.int8]) -> list[str]:
    first: dict[str, int] = {}
    found: dict[str, None] = {}
    for group, part in zip(groups, parts.tolist(), strict=True):
        if first.setdefault(group, part) != part:
            found[str(group)] = None
    return list(found)


def _uniform(key: bytes, group: str) -> float:
    """A number in [0, 1) that the key and the group decide."""
    digest = hmac.new(key, group.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53
