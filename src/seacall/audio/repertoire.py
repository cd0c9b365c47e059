"""All simulated species, and how to find one by its name.

What they say is chosen in :mod:`seacall.audio.dolphins`, ``toothed``, ``baleen`` and
``seals``, by figures of published descriptions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seacall.audio.baleen import BALEEN, BOWHEAD, HUMPBACK, RIGHT
from seacall.audio.dolphins import BOTTLENOSE, COMMON, DOLPHINS
from seacall.audio.kind import Kind
from seacall.audio.plain import PLAIN
from seacall.audio.seals import BEARDED_SEAL, SEALS, WALRUS
from seacall.audio.toothed import BELUGA, KILLER, NARWHAL, SPERM
from seacall.taxonomy import normalised

_FIRST = (
    BOTTLENOSE,
    SPERM,
    HUMPBACK,
    KILLER,
    BEARDED_SEAL,
    RIGHT,
    COMMON,
    WALRUS,
    BOWHEAD,
    BELUGA,
)

N_FIRST = len(_FIRST)
"""Species of the demo, which have a plain repertoire too."""

# The first ones differ most from each other, so that few species make an easy set.
KINDS: tuple[Kind, ...] = (
    *(replace(kind, plain=PLAIN[kind.common_name]) for kind in _FIRST),
    *DOLPHINS,
    NARWHAL,
    *SEALS,
    *BALEEN,
)
"""All simulated species; a set of n uses the first n."""


def kinds_named(names: Sequence[str]) -> tuple[Kind, ...]:
    """Return kinds by label or common name, without regard to case or punctuation.

    Raises
    ------
    ValueError
        If a name is not simulated, or one is given twice.

    Examples
    --------
    >>> [kind.label for kind in kinds_named(["ross_seal", "Beluga White Whale"])]
    ['Simulated Ross Seal', 'Simulated Beluga']
    """
    known = {
        normalised(name): k for k in KINDS for name in (k.label, k.watkins) if name
    }
    missing = [name for name in names if normalised(name) not in known]
    if missing:
        raise ValueError(
            f"species {missing[0]!r} is not simulated; choose among: "
            + ", ".join(kind.common_name for kind in KINDS)
        )
    kinds = tuple(known[normalised(name)] for name in names)
    if len(set(kinds)) < len(kinds):
        raise ValueError(f"a species is named twice in {', '.join(names)}")
    return kinds
