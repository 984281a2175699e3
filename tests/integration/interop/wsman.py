"""A small WS-Management service: remote shells that live in the memory of one node.

    python wsman.py --name b1

The one rule: a shell exists on the node that created it and nowhere else, so a request that names
another one gets the fault wsman:InvalidSelectors, code 2150858843, as WinRM gives it. Commands run
nothing: each says which node it ran on, how many commands its shell has had, and its own words. A
first Receive is answered with the fault TimedOut, as a long poll is that outlasts its patience;
it ends nothing.

Two kinds of shell: WinRS (Command, Send, Receive, Signal), and PowerShell, whose messages psrpcore
speaks. What is not needed to hold a shell is left out: authentication, encryption, Disconnect.

Sources: DSP0226 (WS-Management 1.2), MS-WSMV 3.1.4, MS-PSRP 3.1.5.
"""

from __future__ import annotations

import argparse
import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lxml import etree

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WXF = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
RSP = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
NAMES = {"s": SOAP, "a": WSA, "x": WXF, "w": WSMAN, "rsp": RSP}

INVALID_SELECTORS, TIMED_OUT = 2150858843, 2150858793
POWERSHELL = "http://schemas.microsoft.com/powershell/"


class Refused(Exception):
    """A fault: subcode of WS-Management, code of WinRM."""

    def __init__(self, subcode: str, code: int) -> None:
        super().__init__(subcode, code)
        self.subcode, self.code = subcode, code


@dataclass(slots=True)
class Command:
    """One command: what it says, and whether it was polled for."""

    output: bytes
    polled: bool = False


@dataclass(slots=True)
class Shell:
    """One shell: its commands by id, how many it has had. `feed` takes PowerShell's messages and
    returns the answers to them."""

    resource: str
    commands: dict[str, Command] = field(default_factory=dict)
    count: int = 0
    feed: Callable[[bytes, str | None], bytes] | None = None
    waiting: bytes = b""  # PowerShell's, for the pool itself


def powershell(node: str) -> Callable[[bytes, str | None], bytes]:
    """One runspace pool; every pipeline says which node it ran on, and its number."""
    from psrpcore import (
        CreatePipelineEvent,
        PSRPPayload,
        ServerPipeline,
        ServerRunspacePool,
        StreamType,
    )

    pool = ServerRunspacePool()
    count = 0

    def feed(data: bytes, command: str | None) -> bytes:
        nonlocal count
        identity = uuid.UUID(command) if command else None
        pipeline = ServerPipeline(pool, identity) if identity else None
        pool.receive_data(PSRPPayload(data, StreamType.default, identity))
        while event := pool.next_event():
            if isinstance(event, CreatePipelineEvent):
                count += 1
                pipeline.start()
                pipeline.write_output(f"{node} {count}")
                pipeline.complete()
        out = b""
        while payload := pool.data_to_send():
            out += payload.data
        return out

    return feed


class Node:
    """The shells of one node and what can be done with them: one method for each action."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.shells: dict[str, Shell] = {}

    def answer(self, request: etree._Element) -> list[etree._Element]:
        """The Body's children. Raises Refused."""
        action = request.findtext("s:Header/a:Action", "", NAMES).rpartition("/")[2]
        body = request.find("s:Body", NAMES)
        if action == "Create":
            return self._create(request.findtext("s:Header/w:ResourceURI", "", NAMES), body[0])
        path = "s:Header/w:SelectorSet/w:Selector[@Name='ShellId']"
        identity = request.findtext(path, "", NAMES)
        if identity not in self.shells:
            raise Refused("InvalidSelectors", INVALID_SELECTORS)
        if action == "Delete":
            del self.shells[identity]
            return []
        acts = {"Command": self._command, "Send": self._send, "Receive": self._receive}
        return acts.get(action, self._signal)(self.shells[identity], body[0])

    def _create(self, resource: str, asked: etree._Element) -> list[etree._Element]:
        identity = asked.get("ShellId") or str(uuid.uuid4()).upper()
        shell = self.shells[identity] = Shell(resource)
        if resource.startswith(POWERSHELL):
            shell.feed = powershell(self.name)
            creation = base64.b64decode(asked.findtext(f"{{{POWERSHELL[:-1]}}}creationXml"))
            shell.waiting = shell.feed(creation, None)
        created = etree.Element(f"{{{WXF}}}ResourceCreated", nsmap={"x": WXF, "a": WSA, "w": WSMAN})
        etree.SubElement(created, f"{{{WSA}}}Address").text = "http://node.invalid/wsman"
        parameters = etree.SubElement(created, f"{{{WSA}}}ReferenceParameters")
        etree.SubElement(parameters, f"{{{WSMAN}}}ResourceURI").text = resource
        selectors = etree.SubElement(parameters, f"{{{WSMAN}}}SelectorSet")
        etree.SubElement(selectors, f"{{{WSMAN}}}Selector", Name="ShellId").text = identity
        told = element("Shell")
        told.append(element("ShellId", identity))
        return [created, told]

    def _command(self, shell: Shell, line: etree._Element) -> list[etree._Element]:
        identity = line.get("CommandId") or str(uuid.uuid4()).upper()
        words = [child.text or "" for child in line]
        if shell.feed is not None:
            output = shell.feed(base64.b64decode(words[1]), identity)
        else:
            shell.count += 1
            output = " ".join([self.name, str(shell.count), *words]).encode() + b"\n"
        shell.commands[identity] = Command(output)
        reply = element("CommandResponse")
        reply.append(element("CommandId", identity))
        return [reply]

    def _send(self, shell: Shell, asked: etree._Element) -> list[etree._Element]:
        for stream in asked:
            data = base64.b64decode(stream.text or "")
            shell.commands[stream.get("CommandId")].output += data
        return [element("SendResponse")]

    def _receive(self, shell: Shell, asked: etree._Element) -> list[etree._Element]:
        identity = asked[0].get("CommandId")
        reply = element("ReceiveResponse")
        if identity is None:
            if not shell.waiting:
                raise Refused("TimedOut", TIMED_OUT)
            output, shell.waiting = shell.waiting, b""
            reply.append(element("Stream", base64.b64encode(output).decode(), Name="stdout"))
            return [reply]
        command = shell.commands[identity]
        if not command.polled:
            command.polled = True
            raise Refused("TimedOut", TIMED_OUT)
        output, command.output = command.output, b""
        text = base64.b64encode(output).decode()
        reply.append(element("Stream", text, Name="stdout", CommandId=identity))
        done = element("CommandState", CommandId=identity, State=f"{RSP}/CommandState/Done")
        done.append(element("ExitCode", "0"))
        reply.append(done)
        return [reply]

    def _signal(self, shell: Shell, asked: etree._Element) -> list[etree._Element]:
        del shell.commands[asked.get("CommandId")]
        return [element("SignalResponse")]


def element(name: str, text: str | None = None, **attributes: str) -> etree._Element:
    """An element of the shell's namespace."""
    made = etree.Element(f"{{{RSP}}}{name}", attributes, nsmap={"rsp": RSP})
    made.text = text
    return made


def envelope(relates: str, action: str, body: list[etree._Element]) -> bytes:
    """A reply."""
    made = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP, "a": WSA})
    header = etree.SubElement(made, f"{{{SOAP}}}Header")
    etree.SubElement(header, f"{{{WSA}}}Action").text = action
    etree.SubElement(header, f"{{{WSA}}}RelatesTo").text = relates
    etree.SubElement(made, f"{{{SOAP}}}Body").extend(body)
    return etree.tostring(made, encoding="utf-8")


def fault(refused: Refused) -> etree._Element:
    """What a refused request is answered with."""
    made = etree.Element(f"{{{SOAP}}}Fault", nsmap={"w": WSMAN})
    code = etree.SubElement(made, f"{{{SOAP}}}Code")
    etree.SubElement(code, f"{{{SOAP}}}Value").text = "s:Sender"
    subcode = etree.SubElement(code, f"{{{SOAP}}}Subcode")
    etree.SubElement(subcode, f"{{{SOAP}}}Value").text = f"w:{refused.subcode}"
    reason = etree.SubElement(made, f"{{{SOAP}}}Reason")
    text = etree.SubElement(reason, f"{{{SOAP}}}Text")
    text.set("{http://www.w3.org/XML/1998/namespace}lang", "en-US")
    text.text = refused.subcode
    detail = etree.SubElement(made, f"{{{SOAP}}}Detail")
    etree.SubElement(detail, f"{{{FAULT}}}WSManFault", Code=str(refused.code), Machine="node")
    return made


class Asked(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    node: Node

    def do_POST(self) -> None:
        request = etree.fromstring(self.rfile.read(int(self.headers["Content-Length"])))
        relates = request.findtext("s:Header/a:MessageID", "", NAMES)
        action = request.findtext("s:Header/a:Action", "", NAMES)
        try:
            status, body = 200, self.node.answer(request)
        except Refused as refused:
            status, body = 500, [fault(refused)]
        reply = envelope(relates, action + "Response" if status == 200 else FAULT, body)
        self.send_response(status)
        self.send_header("Content-Type", "application/soap+xml;charset=UTF-8")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *what: object) -> None:
        """Nobody reads it."""


def main() -> None:
    parser = argparse.ArgumentParser(description="A WS-Management node on 127.0.0.1.")
    parser.add_argument("--name", default="b1", help="what the node calls itself")
    Asked.node = Node(parser.parse_args().name)
    with ThreadingHTTPServer(("127.0.0.1", 0), Asked) as server:
        print(f"{Asked.node.name} ready http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
