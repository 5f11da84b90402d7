"""What runs on a workstation: it reads the machine and answers SNMP, within a budget of imports (tests/agent/test_budget.py)."""

__version__ = "0.1.0"
