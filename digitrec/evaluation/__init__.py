"""Numbers about trained networks: predictions, metrics, robustness, comparison, inspection."""
