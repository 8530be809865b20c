"""Numbers about a finished data set, from its verdicts: no image is opened."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from gendeg.data.gends.schema import SPLITS
from gendeg.degradations import Degradation
from gendeg.synthesis.manifest import Manifest
from gendeg.synthesis.shards import verdicts_path

_COLUMNS = [
    "row",
    "degradation",
    "origin",
    "source_set",
    "verdict",
    "reason",
    "mu",
    "sigma",
    "achieved_mu",
    "achieved_sigma",
]
EXAMPLES = 4


@dataclass(frozen=True)
class Statistics:
    """What a data set holds.

    Attributes:
        pairs: accepted rows by split, degradation and origin.
        sets: accepted rows by degradation, origin and source set.
        verdicts: attempts by verdict and kind of reason, e.g. `"too weak"`, without the accepted ones.
        severity: by degradation, float64 array (N, 4) of its accepted rows: requested mu and sigma (NaN for existing
            pairs), achieved mu and sigma.
        examples: by degradation and origin, shard and row number of the first few.
    """

    pairs: Counter[tuple[str, Degradation, str]]
    sets: Counter[tuple[Degradation, str, str]]
    verdicts: Counter[tuple[str, str]]
    severity: dict[Degradation, np.ndarray]
    examples: dict[tuple[Degradation, str], list[tuple[str, int]]]

    def count(self, degradation: Degradation, origin: str | None = None) -> int:
        """Accepted rows of a degradation, of one origin or of both."""
        return sum(n for (_, name, kind), n in self.pairs.items() if name == degradation and origin in (None, kind))

    def splits_of(self, part: str) -> list[str]:
        """The splits that have rows of a part (see `gendeg.data.gends.schema.PARTS`), in order."""
        filled = {split for (split, name, origin), n in self.pairs.items() if n and part in ("all", name, origin)}
        return [split for split in SPLITS if split in filled]


def count_rows(folder: Path, manifest: Manifest) -> Statistics:
    """Go through the verdicts of all shards, one file at a time."""
    pairs: Counter[tuple[str, Degradation, str]] = Counter()
    sets: Counter[tuple[Degradation, str, str]] = Counter()
    verdicts: Counter[tuple[str, str]] = Counter()
    severity: dict[Degradation, list[list[float]]] = {name: [] for name in Degradation}
    examples: defaultdict[tuple[Degradation, str], list[tuple[str, int]]] = defaultdict(list)
    for record in manifest.shards:
        split = record.name.split("-")[0]
        table = pq.read_table(verdicts_path(folder, record.name), columns=_COLUMNS).to_pydict()
        for row, label, origin, source_set, verdict, reason, *numbers in zip(*table.values(), strict=True):
            if verdict != "accepted":
                verdicts[verdict, reason.split(":")[0]] += 1  # without its numbers
                continue
            name = list(Degradation)[label]
            pairs[split, name, origin] += 1
            sets[name, origin, source_set] += 1
            severity[name].append(numbers)
            if len(examples[name, origin]) < EXAMPLES:
                examples[name, origin].append((record.name, row))
    arrays = {name: np.array(rows, dtype=np.float64).reshape(-1, 4) for name, rows in severity.items()}
    return Statistics(pairs, sets, verdicts, arrays, dict(examples))
