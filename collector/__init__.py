"""The collector: poll, receive, discover, keep, judge."""
