"""Twisted: bytes, timers, processes. Asks soapgate.core what to do and does it."""
