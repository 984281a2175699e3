"""The command line: reads arguments, asks the module that knows, prints what it said.

No logic lives here. Exit statuses are for scripts: 0 done; 1 the answer is no (a message that the
gateway would refuse, an id that nobody knows); 2 a file, a usage or a gateway that cannot be
used. Modules are imported by the commands that need them: `soapgate check` answers in a fifth of
a second because it never loads Twisted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from soapgate import __version__

if TYPE_CHECKING:
    from rich.console import Console

    from soapgate.config import Config
    from soapgate.explaining import Explainer
    from soapgate.remote import Remote

NO, BAD = 1, 2
ADMIN = "http://127.0.0.1:9900"

MANY = 20  # files that are worth a progress bar

_file = click.Path(dir_okay=False, path_type=Path)
_message = click.Path(allow_dash=True, path_type=Path)


def _version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked:
        from soapgate.compiled import word

        click.echo(f"soapgate, version {__version__} ({word()})")
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Show the version, and whether it runs compiled.",
)  # fmt: skip
def main() -> None:
    """soapgate keeps every SOAP session on the backend that holds it.

    \b
    Put it before two services on this machine:
      soapgate run --listen 8080 --backend http://127.0.0.1:9001 \\
                   --backend http://127.0.0.1:9002
    See it work:
      soapgate demo
    """


@main.command()
@click.argument("config", type=_file, required=False)
@click.option("--listen", multiple=True, metavar="ENDPOINT", help="8080, or a Twisted endpoint.")
@click.option("--backend", multiple=True, metavar="[NAME=]URL", help="Repeat for each backend.")
@click.option("--sessions", metavar="P1,P2", help="Profiles, by precedence; '' for none.")
@click.option("--pins", metavar="STORE", help="memory: or lmdb:PATH (the default, var/pins).")
@click.option("--admin", metavar="ENDPOINT", help="9900 makes it 127.0.0.1:9900.")
@click.option("--log", type=click.Choice(["text", "json", "none"]), help="Form of the log lines.")
@click.option("--workers", metavar="N", help="Processes that serve; auto: one a processor.")
def run(
    config: Path | None,
    listen: Sequence[str],
    backend: Sequence[str],
    sessions: str | None,
    pins: str | None,
    admin: str | None,
    log: str | None,
    workers: str | None,
) -> None:
    """Run the gateway in the foreground, by CONFIG or by options.

    --workers may stand with both; it takes the place of what CONFIG says.
    SIGTERM lets running exchanges finish; SIGHUP reads CONFIG anew and keeps the pins.

    \b
    soapgate run gateway.toml
    soapgate run --listen 8080 --backend a=http://10.0.0.1:9001 --admin 9900
    """
    from soapgate.config import load, simple

    options = (listen, backend, sessions, pins, admin, log)
    if config is not None and any(option not in (None, ()) for option in options):
        raise click.UsageError("give CONFIG or options, not both: what they say goes into the file")
    if config is None and not backend:
        raise click.UsageError("give CONFIG, or at least one --backend")
    count = int(workers) if workers is not None and workers.isdecimal() else workers
    with _problems():
        if config is not None:
            chosen = load(config, None if count is None else {"workers": count})
        else:
            chosen = simple(
                listen, backend,
                sessions=_split(sessions), pins=pins, admin=admin, workers=count, log=log,
            )  # fmt: skip
    from soapgate import service

    sys.exit(service.run(chosen, config))


@main.command()
@click.argument("config", type=_file)
def check(config: Path) -> None:
    """Say what is wrong with CONFIG, a line each.

    \b
    soapgate check gateway.toml
    """
    from soapgate.config import load
    from soapgate.tables import remarks

    with _problems():
        checked = load(config)
    if checked.gateway.client_ca is not None:
        from soapgate.serving import asked_of_clients  # here, for what TLS weighs

        with _problems(f"{config}: "):
            asked_of_clients(checked)
    for line in remarks(checked, str(config)):
        click.echo(f"{line} (a remark, no error)", err=True)
    counts = (
        (len(checked.service), "service"),
        (len(checked.pool), "pool"),
        (sum(len(pool.backend) for pool in checked.pool.values()), "backend"),
    )
    click.echo(f"{config}: ok, " + ", ".join(f"{n} {w}{'s' * (n != 1)}" for n, w in counts))


@main.command()
@click.argument("files", type=_message, nargs=-1, required=True, metavar="FILE|DIR|-...")
@click.option("-c", "--config", type=_file, help="Explain by this file, not by the defaults.")
@click.option("--service", metavar="NAME", help="For this service, whatever its rule.")
@click.option("--action", metavar="URI", default="", help="The SOAP action of a bare envelope.")
@click.option("--ask", metavar="URL", help="Ask a running gateway: its admin side.")
@click.option("--learn", is_flag=True, help="Look for ids that come back; write a profile.")
@click.option("--name", default="session", show_default=True, help="Of --learn's profile.")
@click.option("--pick", type=int, metavar="N", help="--learn's profile for candidate N.")
@click.option("--json", "as_json", is_flag=True, help="For machines; see docs/explain.rst.")
@click.option("--show-ids", is_flag=True, help="Ids in clear. They are credentials.")
@click.option("--all", "everything", is_flag=True, help="Profiles that found nothing, too.")
@click.option("--full", is_flag=True, help="Each of many messages in full, not in a line.")
def explain(files: Sequence[Path], as_json: bool, everything: bool, full: bool, **how: Any) -> None:
    """Explain what the gateway would do with a message.

    FILE (- is stdin) holds an envelope, a MIME message, or raw HTTP requests and responses; of a
    directory all files are explained, a line each. Told are the ids that each profile finds and the
    route they lead to. Status 1: a message would be refused.

    \b
    soapgate explain -c gateway.toml message.xml
    soapgate explain --all --show-ids - < request.http
    soapgate explain --ask http://127.0.0.1:9900 request.http   (where would it go just now?)
    soapgate explain recording/                                 (all of it, and a sum)
    soapgate explain --learn login-response.http add-request.http
    """
    from soapgate import explaining, show_explained
    from soapgate.remote import RemoteError

    learning, name, pick = (how.pop(option) for option in ("learn", "name", "pick"))
    try:
        if learning:
            _learn(files, as_json, name, pick, **how)
        explainer, found = _explainer(**how), explaining.files_of(files)
        told = list(explaining.tell(_progress(found), explainer, how["action"]))
    except explaining.Unusable as why:
        _fail(str(why))
    except RemoteError as error:
        _fail(str(error))
    single = len(found) == 1 and len(told) == 1
    if single and told[0].said is None:
        _fail(f"{told[0].name}: {told[0].error}")
    if as_json:
        _json(explaining.shape(told, single))
    else:
        show_explained.messages(
            _console(), told, single or full, everything=everything, hashes=explainer.hashes
        )
    sys.exit(explaining.status(told))


def _explainer(
    config: Path | None, service: str | None, ask: str | None, show_ids: bool, action: str
) -> Explainer:
    from soapgate.explaining import Here, There
    from soapgate.remote import Remote

    if ask is None:
        own = config is not None
        return Here(_settings(config), own=own, service=service, show_ids=show_ids)
    if config is not None:
        raise click.UsageError("--ask explains by the gateway's own configuration: leave -c out")
    if show_ids:
        raise click.UsageError("a gateway never says an id in clear: leave --show-ids or --ask out")
    return There(Remote(ask), service)


def _learn(
    files: Sequence[Path], as_json: bool, name: str, pick: int | None, **how: Any
) -> NoReturn:
    from soapgate import explaining, learning, show_learned

    if how["ask"] is not None or how["service"] is not None or how["action"]:
        raise click.UsageError("--learn goes without --ask, --service and --action")
    settings = _settings(how["config"])
    keys, _ = explaining.keys_of(None)
    found = explaining.files_of(files)
    said = learning.learn(found, settings, keys, name=name, pick=pick, show_ids=how["show_ids"])
    if as_json:
        _json(said.to_dict())
    else:
        show_learned.learned(_console(), said)
        if said.written is not None:
            click.echo(said.written.toml, nl=False)  # unfolded, to be pasted or redirected
    sys.exit(0 if said.useful else NO)


def _progress(files: Sequence[Path]) -> Iterable[Path]:
    """The files, with a bar on a terminal where there are many."""
    if len(files) < MANY or not sys.stderr.isatty():
        return files
    from rich.console import Console
    from rich.progress import track

    return track(files, "reading", console=Console(stderr=True), transient=True)


@main.command()
@click.argument("name", required=False)
@click.option("-c", "--config", type=_file, help="With the profiles of this file.")
@click.option("--toml", is_flag=True, help="Print a built-in one for a configuration, to change.")
def profiles(name: str | None, config: Path | None, *, toml: bool) -> None:
    """List the session profiles, or explain the one called NAME.

    \b
    soapgate profiles
    soapgate profiles wsrm
    soapgate profiles spyne-header --toml
    """
    from soapgate import show
    from soapgate.core.profiles import catalogue, catalogue_text
    from soapgate.problems import unknown_name

    own = _settings(config).profile if config is not None else {}
    known = {**own, **{key: one for key, one in catalogue().items() if key not in own}}
    states = {
        key: "on" if one.default else "file" if key in own else "off" for key, one in known.items()
    }
    if name is None:
        show.profiles(_console(), [(one, states[key]) for key, one in known.items()])
    elif toml and name in catalogue():
        click.echo(catalogue_text(name), nl=False)
    elif name in known:
        show.profile(_console(), known[name], states[name])
    else:
        _fail(f"{name}: {unknown_name('profile', name, known)}")


@main.command("demo", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run_demo(arguments: Sequence[str]) -> None:
    """Show sessions that stick, and a crash.

    Needs soapgate[demo]. Options go to the demonstration itself:

    \b
    soapgate demo
    soapgate demo --stay        (keeps it running for your own client)
    """
    from soapgate import demo

    try:
        script = demo.script()
        demo.check_needs()
    except demo.Missing as missing:
        _fail(str(missing))
    # instead of this process: Ctrl-C, the exit status and the children are the script's own
    os.execv(sys.executable, [sys.executable, str(script), *arguments])


_admin = click.option(
    "--admin", envvar="SOAPGATE_ADMIN", default=ADMIN, show_default=True, metavar="URL",
    help="The gateway's admin side.",
)  # fmt: skip
_as_json = click.option("--json", "as_json", is_flag=True, help="The API's answer as it is.")


@main.command()
@_admin
@_as_json
def status(admin: str, as_json: bool) -> None:
    """How the running gateway is, and each of its backends.

    \b
    soapgate status --admin http://127.0.0.1:9900
    """
    with _asking(admin) as remote:
        said = {**remote.get("status"), **remote.get("backends")}
    if as_json:
        _json(said)
        return
    from soapgate import show

    show.status(_console(), said)


@main.group(invoke_without_command=True)
@click.option("--service", metavar="NAME", help="Pins of this service only.")
@click.option("--backend", metavar="NAME", help="Pins to this backend only.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True)
@_admin
@_as_json
@click.pass_context
def pins(
    context: click.Context,
    service: str | None,
    backend: str | None,
    limit: int,
    admin: str,
    as_json: bool,
) -> None:
    """List pins, look one up by its id, delete one by its key.

    \b
    soapgate pins --backend b1 --limit 20
    soapgate pins lookup shop          (asks for the id, or reads it from stdin)
    soapgate pins delete shop 9f3a...
    """
    context.obj = {"admin": admin, "as_json": as_json}
    if context.invoked_subcommand is not None:
        return
    with _asking(admin) as remote:
        listed, more = remote.pins(limit, service=service, backend=backend)
    if as_json:
        _json({"pins": listed, "more": more})
        return
    from soapgate import show

    show.pins(_console(), listed)
    if more:
        click.echo(f"there are more than {limit}", err=True)


@pins.command()
@click.argument("service")
@click.pass_obj
def lookup(asked: dict[str, Any], service: str) -> None:
    """Which backend an id of SERVICE is pinned to.

    The id is asked for, or read from stdin: an argument could be seen by other users. Status 1:
    it is not pinned.

    \b
    soapgate pins lookup shop < id.txt
    """
    session_id = _secret_line()
    with _asking(asked["admin"]) as remote:
        body = {"service": service, "id": session_id}
        said = remote.send("POST", "pins", "lookup", body=body)
    if asked["as_json"]:
        _json(said)
        return
    from soapgate import show

    show.pins(_console(), said["pins"])


@pins.command()
@click.argument("service")
@click.argument("key")
@click.pass_obj
def delete(asked: dict[str, Any], service: str, key: str) -> None:
    """Forget the pin of SERVICE under KEY, as `soapgate pins` lists it.

    \b
    soapgate pins delete shop 9f3a...
    """
    with _asking(asked["admin"]) as remote:
        remote.send("DELETE", "pins", service, key)
    click.echo(f"{service}/{key}: forgotten")


@main.command()
@click.argument("backend", metavar="POOL/NAME")
@click.argument("state", type=click.Choice(["ready", "drain", "maint"]))
@_admin
@_as_json
def backend(backend: str, state: str, admin: str, as_json: bool) -> None:
    """Make a backend ready, drain or maint.

    drain: bound sessions only; maint: nothing.

    \b
    soapgate backend shop/b1 drain
    """
    pool, slash, name = backend.partition("/")
    if not (pool and slash and name):
        raise click.UsageError(f"{backend!r}: give POOL/NAME, as in shop/b1")
    with _asking(admin) as remote:
        said = remote.send("PATCH", "backends", pool, name, body={"admin": state})
    if as_json:
        _json(said)
        return
    from soapgate import show

    show.record(_console(), said)


# What the commands share


def _fail(sentence: str, status: int = BAD) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(status)


@contextmanager
def _problems(where: str = "") -> Iterator[None]:
    """A configuration that cannot be used ends the command: its lines on stderr, each behind
    `where`, status 2."""
    from soapgate.core.errors import ConfigError

    try:
        yield
    except ConfigError as error:
        _fail("\n".join(where + line for line in error.problems))


def _settings(path: Path | None) -> Config:
    """The configuration at `path`, or the defaults around a backend that nobody dials."""
    from soapgate.config import load, simple

    with _problems():
        return load(path) if path is not None else simple(backends=["http://127.0.0.1:9001"])


def _split(sessions: str | None) -> list[str] | None:
    if sessions is None:
        return None
    return [name.strip() for name in sessions.split(",") if name.strip()]


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def _json(said: object) -> None:
    click.echo(json.dumps(said, indent=2, ensure_ascii=False))


@contextmanager
def _asking(url: str) -> Iterator[Remote]:
    """The gateway to ask; what it refuses or does not know ends the command."""
    from soapgate.remote import Remote, RemoteError

    try:
        yield Remote(url)
    except RemoteError as error:
        _fail(str(error), NO if error.status == 404 else BAD)


def _secret_line() -> str:
    """One line that is not shown while it is typed; surrounding blanks do not count."""
    typed = (
        click.prompt("session id", hide_input=True, err=True)
        if sys.stdin.isatty()
        else sys.stdin.readline()
    )
    if not typed.strip():
        raise click.UsageError("no id was given")
    return str(typed).strip()
