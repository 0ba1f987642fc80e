"""Take signed webhooks of shops and payment services: one file for each, all alike to the route."""
