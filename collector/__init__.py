"""The collector: poll, receive, discover, keep, assess."""
