"""Puts the cloud's own groups and refreshes in the place of moto's."""
from .groups import Groups
from .refreshes import Refreshes


def install(world):
    groups = Groups(world)
    groups.install()
    Refreshes(world, groups).install()
