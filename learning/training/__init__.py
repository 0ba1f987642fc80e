"""Fit models with scikit-learn: heavy, and out of the bots' processes."""
