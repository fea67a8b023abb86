"""kill -9 of principal and agents at random moments: whatever was cut off, all agree in the end."""

import time

from conftest import KILL_ROUNDS
from synced import application, net, sync_pki  # noqa: F401  (fixtures)
from test_sync import wait_in_step
from test_sync_outages import OTHER, SITE, wait_confirmed


def test_kills_of_everybody_at_once(net, chance):
    """Principal, two managed agents and an autonomous one; in each round some of them, often several, are killed."""
    principal = net.principal()
    managed = {name: net.agent(name, principal) for name in (SITE, OTHER)}
    autonomous = net.agent("site-3", principal, mode="autonomous")
    ends = [principal, *managed.values(), autonomous]
    sources = {**{name: principal.tree(name) for name in managed}, "site-3": autonomous.tree}
    copies = {**{name: agent.tree for name, agent in managed.items()}, "site-3": principal.tree("site-3")}
    for revision in range(KILL_ROUNDS):
        for tree in sources.values():
            for _ in range(5):
                name = f"app-{chance.randrange(10)}"
                if chance.random() < 0.2 and name in tree.names():
                    tree.remove(name)
                else:
                    tree.put(name, application(f"r{revision}-{chance.randrange(100)}", name=name))
        time.sleep(chance.random() * 0.15)  # the moment of the kill
        victims = chance.sample(ends, chance.randrange(1, len(ends)))
        for victim in victims:
            victim.kill()
        for victim in victims:
            victim.start()
    for end in ends:
        end.ready()
    for name, tree in sources.items():
        wait_in_step(tree, copies[name], 90)
    for name in managed:
        wait_confirmed(principal, name)
