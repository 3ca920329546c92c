"""Hold OmegaConf to the limits of configurations; apart from them, as readers of run folders do without OmegaConf."""

from digitrec.config.limits import limited_loader
from digitrec.errors import UsageError
from digitrec.system import patches

INTERPOLATIONS = 2_000  # in one job
_interpolations = 0


def limit_configurations() -> None:
    """Refuse, from now on and in this process, what no configuration needs; UsageError names file or key.

    Called again for each job: the count of interpolations starts anew.
    """
    global _interpolations
    _interpolations = 0
    patches.limit_omegaconf(limited_loader, _count_interpolation)


def _count_interpolation() -> None:
    global _interpolations
    _interpolations += 1
    if _interpolations > INTERPOLATIONS:
        raise UsageError(f"interpolations that stand for each other more than {INTERPOLATIONS:,} times")
