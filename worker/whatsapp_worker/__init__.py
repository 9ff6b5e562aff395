"""Run one WhatsApp Web session: browser, page, profile, store, status."""
