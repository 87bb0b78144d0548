"""Replaces moto's groups and refreshes with the cloud's own."""
from .groups import Groups
from .refreshes import Refreshes


def install(cloud):
    groups = Groups(cloud)
    groups.install()
    Refreshes(cloud, groups).install()
