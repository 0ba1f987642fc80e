"""Keep what each visitor did: counters, scores, cohorts."""
