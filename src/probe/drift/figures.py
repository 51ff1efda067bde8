"""Figures that several parts of the detector share. It is tuned by few, and each of them means one thing."""

# Runs before anything can be said, and as many as show what is so just now.
ENOUGH = 60
# Runs after which a new level is known well.
SETTLED = 120
# So many standard deviations, or standard errors, are certain.
CERTAIN = 3.0
# An hour with a smaller share of the runs that others have is no equal of theirs, nor is a day with fewer hours.
SPARSE = 0.5
# Two changes are of a kind where they differ by no more than this share, and one is over when no more of it is left.
ALIKE = 0.5


def is_doubled(runs: int) -> bool:
    """Whether so many runs are what is enough, or that twice, four times, and so on: when to learn, of few runs."""
    times = runs // ENOUGH
    return runs % ENOUGH == 0 and times > 0 and times & (times - 1) == 0
