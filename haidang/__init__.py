"""The front door: the commands, and the one place where objects are wired together."""
