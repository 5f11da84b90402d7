"""A synthetic province: offices, their networks and machines, answering real SNMP on loopback addresses."""
