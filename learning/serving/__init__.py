"""Choose with a published policy: light enough for every bot."""
