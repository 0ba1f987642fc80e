"""Follow orders and refunds, and tell sales what needs a person."""
