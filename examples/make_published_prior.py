r"""Write the published severity prior as the package's resource.

    python examples/make_published_prior.py mu_by_dataset.csv sigma_given_mu.csv \
        -o src/gendeg/resources/priors/published.json

`mu_by_dataset.csv` has a line per degradation, data set and mu bin (columns degradation, dataset, sampling_weight,
pairs, mu_bin, probability); `sigma_given_mu.csv` has a line per degradation and mu bin with quantiles of sigma over all
data sets (columns degradation, mu_bin, sigma_min, sigma_q05, sigma_q25, sigma_q50, sigma_q75, sigma_q95, sigma_max).
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from gendeg import Degradation, SeverityPrior
from gendeg.priors.tables import DegradationStatistics, SigmaTable, SourceSet
from gendeg.severity import NUM_BINS

QUANTILES = {
    "sigma_min": 0.0,
    "sigma_q05": 0.05,
    "sigma_q25": 0.25,
    "sigma_q50": 0.5,
    "sigma_q75": 0.75,
    "sigma_q95": 0.95,
    "sigma_max": 1.0,
}
Row = dict[str, str]


def read_groups(path: Path, *keys: str) -> dict[tuple[str, ...], list[Row]]:
    """Lines of a table, grouped by some of its columns."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            groups[tuple(row[key] for key in keys)].append(row)
    return groups


def sigma_table(rows: list[Row]) -> SigmaTable:
    """Sigma given mu from the quantiles of each mu bin."""
    levels = list(QUANTILES.values())
    return SigmaTable({int(row["mu_bin"]): ([float(row[name]) for name in QUANTILES], levels) for row in rows})


def source_set(name: str, rows: list[Row], table: SigmaTable) -> SourceSet:
    """One data set; its sigma range is that of the mu bins it occupies, as sigma is published for all sets together."""
    probability = np.zeros(NUM_BINS)
    for row in rows:
        probability[int(row["mu_bin"])] = float(row["probability"])
    sigma = table.sigma[probability > 0]
    return SourceSet(
        name=name,
        weight=float(rows[0]["sampling_weight"]),
        pairs=int(rows[0]["pairs"]),
        mu_probability=probability / probability.sum(),  # published with six decimals, which need not sum to 1
        sigma_range=(float(sigma.min()), float(sigma.max())),
    )


def main() -> None:
    """Read both tables, write the prior."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mu_by_dataset", type=Path)
    parser.add_argument("sigma_given_mu", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()

    by_set = read_groups(arguments.mu_by_dataset, "degradation", "dataset")
    by_degradation = read_groups(arguments.sigma_given_mu, "degradation")
    statistics = {}
    for degradation in Degradation:
        table = sigma_table(by_degradation[(degradation.value,)])
        names = [dataset for name, dataset in by_set if name == degradation.value]
        sets = [source_set(name, by_set[(degradation.value, name)], table) for name in names]
        statistics[degradation] = DegradationStatistics(tuple(sets), (table,))
    SeverityPrior(statistics).save(arguments.output)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
