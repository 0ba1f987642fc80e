"""Serve the marketer's web console under `/console/`."""
