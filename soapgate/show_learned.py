"""What a recorded conversation teaches, on a terminal: guesses, and why the profile below them is
the one it is.

The profile itself is not printed here: it is text for a file, and a table would fold it. Like
`soapgate.show` this computes nothing that a script could want.
"""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from soapgate.learning import Guess, Learned
from soapgate.show import numbered


def learned(console: Console, said: Learned) -> None:
    """The guesses, the notes, and what the profile that follows has been proved to do."""
    read = f"{count(said.responses, 'response')}, {count(said.requests, 'request')}"
    console.print(Text(read, style="bold"))
    for guess in said.guesses:
        _guess(console, guess)
    if said.guesses and said.guesses[0].id.clear is None:
        console.print(Text("\nIds are shown as hashes; --show-ids shows them.", style="dim"))
    if said.notes:
        numbered(console, "notes", said.notes)
    written = said.written
    if written is not None:
        found = f"{count(written.responses, 'response')} and {count(written.requests, 'request')}"
        console.print()
        console.print(
            Text(f"a profile for {written.number}", style="bold")
            + Text(f": tried on these messages, it finds the id in {found}.")
            + Text(f' Add "{written.name}" to the sessions of the service.\n')
        )


def count(number: int, word: str) -> str:
    """`1 request`, `2 requests`."""
    return f"{number} {word}{'s' * (number != 1)}"


def _guess(console: Console, guess: Guess) -> None:
    made = "made by the server" if guess.origin == "server" else "made by the client, or a constant"
    about = [guess.looks, made]
    if guess.asked > 1:
        about.append(f"in {guess.carried} of {guess.asked} requests")
    clear = f"  {guess.id.clear}" if guess.id.clear is not None else ""
    head = Text(f"{guess.number:>2}  ", style="bold") + Text(guess.id.hash, style="green")
    console.print()
    console.print(head + Text(f"{clear}  {'; '.join(about)}"))
    lines = [f"response  {at}" for at in guess.responses]
    lines += [f"request   {at}" for at in guess.requests]
    lines += [f"found by  {', '.join(guess.found_by)}"] if guess.found_by else []
    for line in lines:
        console.print(Text(f"      {line}"), soft_wrap=True)  # a location is for copying
