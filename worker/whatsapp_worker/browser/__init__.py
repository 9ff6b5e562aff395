"""Run Chromium, and speak with WhatsApp Web's page in it."""
