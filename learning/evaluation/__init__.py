"""Judge what was learned: numpy only, nothing here decides."""
