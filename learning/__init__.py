"""Learn from logged decisions."""
