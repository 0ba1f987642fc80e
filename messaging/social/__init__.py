"""Ask others about an address: Gravatar, and WebFinger with the ActivityPub that it leads to."""
