"""`python -m gendeg`."""

from gendeg.cli import main

main()
