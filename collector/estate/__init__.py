"""What the province has: inventory, identity, topology, states, assessment."""
