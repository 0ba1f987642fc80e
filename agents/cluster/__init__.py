"""Place the durable shells on Ray; nothing else knows Ray."""
