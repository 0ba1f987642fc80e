"""A synthetic audience: people whose truth nobody who decides or learns can see."""
