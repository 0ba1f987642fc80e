"""Compose, sign, pace and hand over mail, and read what bounces."""
