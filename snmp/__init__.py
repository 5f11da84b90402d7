"""SNMP from the wire up: BER, messages, USM, client, responder, notifications. Knows nothing of devices."""
