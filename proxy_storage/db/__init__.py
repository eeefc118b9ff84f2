"""Model fields whose files know their owner."""
