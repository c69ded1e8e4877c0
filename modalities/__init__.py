"""The built-in modalities: each a plugin, found through its entry point like any other."""
