"""What the command line's programs end with, beside 0."""

SOME_FAILED = 1  # the others were done
ERROR = 2  # nothing was done
STOPPED = 130  # what shells report after Ctrl-C
