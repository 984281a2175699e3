"""What the gateway knows: values and rules. stdlib + lxml; no Twisted, no sockets, no clock, no logging."""
