"""Spyne 2.14.0 on Python 3.11 to 3.13, served by Twisted: all that is odd about it in one place.

The one rule: importing this module first is enough; after it `import spyne` works, and nothing
else in the samples knows why that needs help. Three things are in the way. Spyne carries a copy of
`six` whose lazy `six.moves` relies on an import hook that Python 3.12 removed, so the names Spyne
asks for are taken from a current `six`. Spyne imports `cgi`, which warns until 3.12 and is gone
from 3.13 (the package `legacy-cgi` brings it back). And `spyne.server.twisted` does not import
with current Twisted, so an application is served as WSGI, by Twisted's `WSGIResource`.

The alternative, a patched copy of Spyne, was dropped: a service author should see plain Spyne.
"""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from collections.abc import Mapping
from types import ModuleType
from xml.sax.saxutils import escape

_MOVES = ("collections_abc", "http_cookies", "urllib", "urllib.error", "urllib.parse")
_MOVES += ("urllib.request",)  # all that Spyne 2.14.0 imports from six.moves

# What the WSDL says until a request says where the service is.
_ADDRESS = "http://service.invalid/"


def alias_six_moves() -> None:
    """Answer `import spyne.util.six.moves...` with the installed `six`; harmless when repeated.

    Raises ImportError, with the extra to install, when `six` is absent.
    """
    try:
        import six
    except ImportError as error:
        raise ImportError("Spyne needs six here: pip install 'soapgate[demo]'") from error
    modules: dict[str, ModuleType] = {"": six.moves}
    for name in _MOVES:
        modules["." + name] = importlib.import_module("six.moves." + name)
    for name, module in modules.items():
        sys.modules["spyne.util.six.moves" + name] = module


def import_spyne() -> ModuleType:
    """Import the parts of Spyne that the samples use and return the package.

    Raises ImportError, with the extra to install, when Spyne or `cgi` is absent.
    """
    alias_six_moves()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # `cgi`, up to Python 3.12
            warnings.simplefilter("ignore", ImportWarning)  # the old hook, on Python 3.11
            import spyne.protocol.soap
            import spyne.server.wsgi
    except ImportError as error:
        hint = f"Spyne does not import ({error}): pip install 'soapgate[demo]'"
        raise ImportError(hint) from error
    # the hook has nothing left to do, and on Python 3.11 warns at every later failing import
    hooks = [hook for hook in sys.meta_path if type(hook).__module__ != "spyne.util.six"]
    sys.meta_path[:] = hooks
    # Spyne logs a warning for each fault it answers; a fault is an answer, not an event
    logging.getLogger("spyne").setLevel(logging.CRITICAL)
    return spyne


spyne = import_spyne()


def wsgi(application: spyne.Application) -> spyne.server.wsgi.WsgiApplication:
    """The application as a WSGI callable whose WSDL names the address each client asked.

    Spyne alone keeps the address of whoever asked first. Behind a gateway that may be a health
    check on the backend's own port, and every client would be sent past the gateway from then on.
    """
    service = spyne.server.wsgi.WsgiApplication(application)
    service.doc.wsdl11.build_interface_document(_ADDRESS)

    def tell_address(context: spyne.MethodContext) -> None:
        asked = escape(context.transport.get_url().partition("?")[0], {'"': "&quot;"})
        text = context.transport.wsdl.replace(_ADDRESS.encode(), asked.encode())
        context.transport.wsdl = text

    service.event_manager.add_listener("wsdl", tell_address)
    return service


def contract(application: spyne.Application) -> bytes:
    """The WSDL of the application, with `http://service.invalid/` for an address."""
    document = spyne.server.wsgi.WsgiApplication(application).doc.wsdl11
    document.build_interface_document(_ADDRESS)
    return document.get_interface_document()


def serve(applications: Mapping[str, spyne.Application], port: int = 0, name: str = "b1") -> None:
    """Serve each application at its path on 127.0.0.1 until SIGTERM or Ctrl-C.

    A path is one segment ("header" for `/header`) or "" for the root. `port` 0 takes a free one.
    Prints `NAME ready http://127.0.0.1:PORT/` once connections are accepted. Running calls are
    finished before it returns. Raises OSError when the port is taken.
    """
    from twisted.internet import reactor
    from twisted.internet.error import CannotListenError
    from twisted.web.resource import Resource
    from twisted.web.server import Site
    from twisted.web.wsgi import WSGIResource

    root = Resource()
    pool = reactor.getThreadPool()
    for path, application in applications.items():
        resource = WSGIResource(reactor, pool, wsgi(application))
        if path:
            root.putChild(path.encode(), resource)
        else:
            root = resource
    site = Site(root)
    site.noisy = False
    try:
        listening = reactor.listenTCP(port, site, interface="127.0.0.1")
    except CannotListenError as error:
        raise OSError(f"cannot listen on 127.0.0.1:{port}: {error.socketError}") from error
    address = f"http://127.0.0.1:{listening.getHost().port}/"
    reactor.callWhenRunning(lambda: print(f"{name} ready {address}", flush=True))
    reactor.run()
