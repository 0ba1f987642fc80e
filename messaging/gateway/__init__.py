"""Speak HTTP: collection, tracking, engagements, webhooks, admin, console."""
