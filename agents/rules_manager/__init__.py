"""Decide which path a visitor is on, and its next step."""
