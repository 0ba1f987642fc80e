"""Join rewards to decisions, and publish policies learned from them."""
