"""Say what a bot is: a pure function over one visitor's state."""
