"""Recorded data, lived through again: each policy beside its peers, by one protocol, from arrays alone."""
