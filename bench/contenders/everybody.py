"""Who there is: the contenders by name, in the order of the table's columns."""

from __future__ import annotations

from bench.contenders import Contender
from bench.contenders.haproxy import HAPROXY, HAPROXY_64K
from bench.contenders.nginx_njs import NGINX_NJS
from bench.contenders.soapgate import SOAPGATE, SOAPGATE_2
from bench.contenders.twisted_web import TWISTED_WEB

CONTENDERS: dict[str, Contender] = {
    each.name: each for each in (HAPROXY, HAPROXY_64K, NGINX_NJS, TWISTED_WEB, SOAPGATE, SOAPGATE_2)
}
BESIDE = (HAPROXY.name, SOAPGATE.name)  # who takes part outside of the main table, if not told
