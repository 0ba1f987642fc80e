"""Offer interactions on the site, and follow each to its end."""
