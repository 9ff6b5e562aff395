"""Reconcile SessionStores: check them with pods, collect reports of workers, and write their status."""
