"""Run bots durably without Ray: load, step, one atomic write, dispatch."""
