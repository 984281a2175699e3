"""What a Spyne service or a SOAP client imports. Synchronous, thread-safe, no Twisted."""
