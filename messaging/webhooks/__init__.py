"""Call the webhooks of paths, and bring their answers back."""
