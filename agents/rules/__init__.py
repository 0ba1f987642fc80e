"""Speak the rule language that bots share: models, compiler, windows, operators."""
