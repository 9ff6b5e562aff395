"""Offer the command ``whatsapp-worker``: by flags on a laptop, by the environment in a pod."""
