"""Severity priors: how strong each degradation is in the data sets that people train on."""

from gendeg.priors.prior import SeverityPrior, given_prior

__all__ = ["SeverityPrior", "given_prior"]
