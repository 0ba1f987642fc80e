"""Compose the system: here ports meet implementations."""
