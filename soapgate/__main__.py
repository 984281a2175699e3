"""`python -m soapgate` is `soapgate`."""

from soapgate.cli import main

if __name__ == "__main__":
    main(prog_name="soapgate")
