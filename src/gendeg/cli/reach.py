"""Say which images did not reach the severity that was asked for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import typer

from gendeg.cli.metadata import METADATA, Row
from gendeg.output import MU_TOLERANCE, GenDegOutput
from gendeg.severity import Severity

MOST_LISTED = 10


@dataclass(frozen=True)
class Reach:
    """When a severity counts as missed.

    Attributes:
        mu_tolerance, sigma_tolerance: how far it may be off.
        advice: what to do about a miss.
        mu_share: how far mu may be off as a share of the requested mu; the stricter of both limits counts, but no
            request is finer than `MU_TOLERANCE`.
    """

    mu_tolerance: float
    sigma_tolerance: float
    advice: str
    mu_share: float = math.inf

    def is_met(self, result: GenDegOutput) -> bool:
        """Whether a result of one image reached its severity."""
        relative = max(MU_TOLERANCE, self.mu_share * float(result.requested[0].mu))
        return result.reached(min(self.mu_tolerance, relative), self.sigma_tolerance)[0]

    def warn(self, rows: Sequence[Row]) -> None:
        """List on stderr the images whose row says that they did not reach their severity."""
        missed = [row for row in rows if row.get("reached") is False]
        if not missed:
            return
        lines = [f"Warning: {len(missed)} of {len(rows)} images did not reach the severity asked for or drawn:"]
        lines += [f"  {row['file_name']}: {_describe_row(row)}" for row in missed[:MOST_LISTED]]
        if len(missed) > MOST_LISTED:
            lines.append(f"  and {len(missed) - MOST_LISTED} more, with reached=false in {METADATA}")
        typer.secho("\n".join([*lines, self.advice]), fg=typer.colors.YELLOW, err=True)


def describe(requested: Severity, achieved: Severity) -> str:
    """Both severities of an image in words; NaN is a sigma that was left free."""
    return f"requested {requested}; achieved {achieved}".replace("nan", "free")


def _describe_row(row: Row) -> str:
    sigma = math.nan if row["requested_sigma"] is None else row["requested_sigma"]
    return describe(Severity(row["requested_mu"], sigma), Severity(row["achieved_mu"], row["achieved_sigma"]))
