"""The version of the library, for every part of it to read."""

__version__ = "0.1.0.dev0"
