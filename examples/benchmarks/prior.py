"""Speed of severity sampling on one thread.

OMP_NUM_THREADS=1 python examples/benchmarks/prior.py
"""

import argparse
import time

from gendeg import SeverityPrior


def draws_per_second(prior: SeverityPrior, degradation: str, n: int, repeats: int) -> float:
    """Best of several runs."""
    best = float("inf")
    for seed in range(repeats):
        start = time.perf_counter()
        prior.sample(degradation, n, seed)
        best = min(best, time.perf_counter() - start)
    return n / best


def main() -> None:
    """Print draws a second for each mode and degradation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=1_000_000, help="draws in one call")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    for mode in ("paper", "official"):
        prior = SeverityPrior.published(mode)
        for degradation in prior.degradations:
            speed = draws_per_second(prior, degradation, arguments.n, arguments.repeats)
            print(f"{mode:10}{degradation!s:13}{speed / 1e6:6.1f} million draws a second")


if __name__ == "__main__":
    main()
