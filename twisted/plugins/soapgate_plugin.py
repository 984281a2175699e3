"""Makes `twist soapgate` and `twistd soapgate` work; the service itself is `soapgate.service`."""

from twisted.application.service import ServiceMaker

soapgate = ServiceMaker(
    "soapgate",
    "soapgate.service",
    "A gateway that keeps every SOAP session on the backend that holds it.",
    "soapgate",
)
