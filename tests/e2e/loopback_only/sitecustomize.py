"""Loaded by every Python process of a scenario: refuses each address but loopback, and writes it down."""

import os
import socket
import sys

LOOPBACK = {"127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "", None, socket.gethostname()}  # noqa: S104  asked for, not bound
ASKING = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyname_ex"}


def refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse what leaves the machine."""
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event in ASKING:
        host = arguments[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    if host in LOOPBACK or str(host).startswith("127."):
        return
    with open(os.environ["LOOPBACK_ONLY_LOG"], "a") as log:  # noqa: PTH123  pathlib is not yet worth its import here
        log.write(f"{event} {host} {sys.argv[:3]}\n")
    raise PermissionError(f"a scenario may reach loopback only, but asks for {host!r}")


if "LOOPBACK_ONLY_LOG" in os.environ:
    sys.addaudithook(refuse)
