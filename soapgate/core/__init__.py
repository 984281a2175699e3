"""What the gateway knows: values and rules.

Standard library and lxml only. No Twisted, no sockets, no clock (time is an argument), no logging:
what happened is returned, and the edge says it.
"""
