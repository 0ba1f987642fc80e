"""Append events once, and read them after a cursor."""
