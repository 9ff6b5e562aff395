"""Operator: reconcile WhatsAppSessions and SessionStores."""
