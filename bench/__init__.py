"""What one request costs soapgate, in CPU, beside a gateway that does the same job in C.

    python -m bench --help

* A **case** (`cases.py`) is one envelope shape: what every client sends.
* A **contender** (`contenders/`) is one gateway: how to start it before two backends so that it
  keeps a session id of the envelope on one of them.
* The **backends** (`backends.py`) are canned, the **load** (`load.py`) is wrk, both the same for
  everybody.
* `rounds.py` lets the contenders take turns (A B A B ...) inside one run, so that a busy minute of
  the machine hits all of them; `checks.py` refuses to measure a gateway that does not stick.
* `report.py` turns the figures into JSON and a table.

The one rule: a figure is CPU time that the operating system counted for the gateway's processes,
divided by the requests that the load generator counted as answered. Requests a second are noted
and never compared: they say as much about the load generator and about the other processes of the
machine. Dropped: a load generator of our own in Python, slower than what it would measure.
"""
