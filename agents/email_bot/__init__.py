"""Decide whether, when and with what a visitor is written to."""
