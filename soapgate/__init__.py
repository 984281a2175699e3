"""soapgate keeps every SOAP session on the backend that holds it.

How it works, and where:

* A *profile* says where one protocol carries its session ids: which to look up in requests, which
  a client may make up, which to learn from responses, what ends a session. Those built in are
  files of `catalogue`; `core.locations` is their language, `core.plan` runs them.
* An *exchange* is one request and its response, told from beginning to end in `edge.proxy`:
  accept, identify, look up, route, connect, forward, learn, release. The body is read only until
  its ids are known (`core.scanner`, out of any container: `core.unwrap`) and streams otherwise
  (`edge.flow`).
* A *pin* remembers which backend has an id, under a keyed hash of it (`core.pins`). It is bound
  before the response that issued the id goes downstream. `core.affinity` keeps the rules,
  `stores` the pins.
* A pin overrides the policy. `core.routing.route` decides from ids, pins, pool and policy alone:
  a route, or a refusal with a reason, which `core.faults` turns into a SOAP fault.
* `config` reads the file, `service` makes everything of it and is the one module that knows
  everybody; `cli` is the command line. `backend` is for services and their clients, and shares
  nothing with the gateway but names.

* The hot modules may be compiled: `compiled` lists them. They are the same sources, and
  SOAPGATE_PURE=1 has these run.

Arrows point one way: cli -> service -> edge -> core, stores -> core. The core knows no Twisted, no
socket, no clock and no log.
"""

import os

__version__ = "0.1.0"

if "SOAPGATE_PURE" in os.environ:  # before any module is imported that may be compiled
    from soapgate.compiled import leave_out

    leave_out()
