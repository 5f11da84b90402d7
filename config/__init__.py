"""All that an operator edits, and its reading: settings, metric catalogue, device profiles, units, the MIB."""
