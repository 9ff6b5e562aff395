"""Reconcile WhatsAppSession resources into worker pods."""
