"""Tell a person of an alert: by e-mail and by an outgoing webhook."""
