"""What the province has: inventory, identity, agents, topology, states."""
