"""Replaces moto's groups and refreshes with the cloud's own."""
from .groups import Groups
from .refreshes import Refreshes


def install(world):
    groups = Groups(world)
    groups.install()
    Refreshes(world, groups).install()
