"""All conversations, by the name of their profile and what is special, and their prefixes."""

from __future__ import annotations

import further
import protocols
import references
import resources_of_ws
import vendors

from soapgate.core import ns

PARTS = (protocols, further, references, resources_of_ws, vendors)
CONVERSATIONS = {name: messages for part in PARTS for name, messages in part.CONVERSATIONS.items()}
NAMESPACES = {prefix: uri for part in PARTS for prefix, uri in part.NAMESPACES.items()}
DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())


def envelope(header: str, body: str, soap: str = ns.SOAP12) -> str:
    """An envelope in which every prefix is declared."""
    return (
        f'<s:Envelope xmlns:s="{soap}" {DECLARED}>'
        f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
