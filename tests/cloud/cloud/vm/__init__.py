"""Instances that are virtual machines with a real kernel, of the disk that tests/guest makes."""
from .disk import FLAVOUR, GIB, base

__all__ = ["FLAVOUR", "GIB", "base"]
