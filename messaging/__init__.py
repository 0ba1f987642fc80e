"""Carry what crosses a border, and the words it crosses in."""
