"""What the demos and tests need of the network: the loopback interface, and ports for servers that are killed and started again."""

import random
import socket
import sys
from pathlib import Path

PROGRAM = Path(sys.argv[0]).name


def need_loopback():
    """Without it nothing works, and nothing would say why."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=10).close()
    except OSError as e:
        sys.exit(f"{PROGRAM}: no connection over 127.0.0.1: {e}; is the loopback interface up? (ip link set lo up)")


def need_localhost():
    """Dozens of tests ask for it by name, as people do."""
    try:
        socket.getaddrinfo("localhost", None)
    except OSError as e:
        sys.exit(f"{PROGRAM}: the name localhost leads nowhere: {e}; /etc/hosts needs the line '127.0.0.1 localhost'")


def free_port(given=set()):
    """Below the ports that the kernel gives to clients: one of those could take it while its server is killed."""
    first_of_clients = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if first_of_clients < 12000:  # a machine for very many clients: there is hardly a port that it does not give them
        first_of_clients = 65536
    while True:
        port = random.SystemRandom().randrange(10240, first_of_clients)
        with socket.socket() as s:
            try:
                s.bind(("", port))
            except OSError:
                continue
        if port not in given:
            given.add(port)
            return port
