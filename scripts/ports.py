"""Ports for servers that are killed and started again."""

import random
import socket
from pathlib import Path


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
