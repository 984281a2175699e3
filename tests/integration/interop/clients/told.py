"""What a Python client of the cart does and tells, see ../stacks.py; a stack brings its calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Cart(Protocol):
    """The operations; replies are the stack's own objects with the names of the contract."""

    def login(self, customer: str) -> Any: ...
    def add(self, article: str, quantity: int) -> Any: ...
    def items(self) -> Any: ...
    def checkout(self) -> Any: ...


def shop(
    cart: Cart, customer: str, *, fault: type[Exception], code: Callable[[Any], object]
) -> int:
    """Shop, a line for each call; the exit status. `fault` is what the stack raises for one."""
    try:
        print("login", cart.login(customer).node)
        for article, quantity in (("tea", 1), ("jam", 2)):
            reply = cart.add(article, quantity)
            print("add", reply.node, reply.count)
        reply = cart.items()
        lines = ",".join(f"{line.article}={line.quantity}" for line in reply.line)
        print("items", reply.node, reply.customer, lines)
        reply = cart.checkout()
        print("checkout", reply.node, reply.count)
    except fault as error:
        print("fault", code(error))
        return 3
    return 0
