"""What one request costs soapgate, in CPU, beside a gateway that does the same job in C.

    python -m bench --help

* A **case** (`cases.py`, `envelopes.py`) is one kind of traffic: what every client sends, where
  the id stands, what is in the store beforehand.
* A **contender** (`contenders/`) is one gateway: how to start it before canned backends so that it
  keeps the session of each request on one of them.
* `stage.py` sets up a case: **backends** (`backends.py`), everybody before them, `checks.py`, which
  refuses to measure a gateway that does not stick.
* `rounds.py` lets the contenders take turns (A B A B ...) inside one run, so that a busy minute of
  the machine hits all of them; the **load** (`load.py`) is wrk. Beside it `latency.py` measures
  with a load of constant rate (`open_loop.py`), `memory.py` without any.
* `document.py` is the result, as JSON; `tables.py`, `picture.py`, `compare.py` read nothing else.
* `options.py` is what may be asked, `selection.py` what of it can be done here.

The one rule: a figure is CPU time that the operating system counted for the gateway's processes,
divided by the requests that the load generator counted as answered. Requests a second are noted
and never compared: they say as much about the load generator and about the other processes of the
machine. Dropped: a load generator of our own in Python, slower than what it would measure.
"""
