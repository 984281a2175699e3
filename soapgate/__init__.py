"""soapgate keeps every SOAP session on the backend that holds it."""

__version__ = "0.1.0"
