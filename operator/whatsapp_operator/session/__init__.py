"""Bring sessions to what their specification says: observe, plan, act, report."""
