"""Look after SessionStores: have each checked by a short pod, hear what workers say of it, and report both."""
