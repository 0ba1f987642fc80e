"""Read settings and the marketer's files into rule models."""
