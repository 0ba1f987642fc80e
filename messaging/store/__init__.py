"""Keep states, messages, wake-ups, decisions and the ledger in one transaction."""
