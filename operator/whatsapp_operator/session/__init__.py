"""Reconcile sessions: observe, plan, act, report."""
