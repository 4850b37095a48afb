"""Whole machines, by sensor family: each module builds those that a collector must cope with.

``MACHINES`` names them all; a builder takes an empty folder and returns a ``FakeMachine``. Every layout names its
source in the module's docstring.
"""
