"""Asking devices, understanding their answers, and doing so at a steady pace."""
