"""Speak with WhatsApp Web's page through one data table, `contract.json`; nothing else here knows the page."""
