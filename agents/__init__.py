"""Hold the bots: pure cores, and the shells that keep them alive."""
