"""nemesis - what happens to a cluster, by seed: one fault after the other, each healed.

plan() is pure: the same arguments give the same steps. Names of nodes are found when a step runs,
since nobody knows before who leads then.
"""

import collections
import random
import time

from lib import until

FAULTS = ("kill", "pause", "stop", "isolate", "one_way_out", "one_way_in", "flap", "delay", "lossy",
          "half_open", "transfer", "demote", "full_disk")

# At at_s seconds `fault` begins for `target` ("leader", "follower" or "all") and lasts last_s.
Step = collections.namedtuple("Step", "at_s fault target last_s")


def plan(seed, seconds, faults=FAULTS):
    """Steps for so many seconds; each has ended, with time to recover, before the next begins."""
    chance = random.Random(seed)
    steps = []
    at_s = 1.0
    while True:
        fault = chance.choice(faults)
        target = chance.choice(("leader", "leader", "follower"))
        if fault in ("delay", "lossy") and chance.random() < 0.5:
            target = "all"
        last_s = round(chance.uniform(0.5, 2.5), 2)
        if at_s + last_s > seconds:
            return steps
        steps.append(Step(round(at_s, 2), fault, target, last_s))
        at_s += last_s + chance.uniform(0.8, 2.0)


class Nemesis:
    """Runs a plan against a cluster.ProxiedCluster."""

    def __init__(self, cluster, steps, seed=0):
        self.cluster = cluster
        self.steps = steps
        self.chance = random.Random(seed)
        self.done = []

    def run(self):
        start = time.monotonic()
        for step in self.steps:
            time.sleep(max(0.0, start + step.at_s - time.monotonic()))
            victim = max(self.cluster.nodes) if step.fault == "full_disk" else self._victim(step.target)
            getattr(self, "_" + step.fault)(victim, step.last_s)
            self.done.append(f"{step.fault} {victim}")

    def _victim(self, target):
        leader = self.cluster.leader()
        if target == "leader":
            return leader
        if target == "all":
            return 0
        return self.chance.choice([number for number in self.cluster.nodes if number != leader])

    def _links(self, victim):
        """Directed links that a fault of a node concerns; 0: all."""
        return [(source, destination) for source in self.cluster.nodes
                for destination in self.cluster.nodes
                if source != destination and victim in (0, source, destination)]

    def _on_links(self, links, last_s, kind, **settings):
        for source, destination in links:
            self.cluster.proxy.set(source, destination, kind, **settings)
        time.sleep(last_s)
        self.cluster.proxy.heal()

    def _kill(self, victim, last_s):
        self.cluster.nodes[victim].kill()
        time.sleep(last_s)
        self.cluster.nodes[victim].start(wait=False)

    def _stop(self, victim, last_s):
        self.cluster.nodes[victim].stop()
        time.sleep(last_s / 4)
        self.cluster.nodes[victim].start(wait=False)

    def _pause(self, victim, last_s):
        self.cluster.nodes[victim].pause()
        time.sleep(last_s)
        self.cluster.nodes[victim].resume()

    def _isolate(self, victim, last_s):
        self._on_links(self._links(victim), last_s, "hold")

    def _one_way_out(self, victim, last_s):
        self._on_links([link for link in self._links(victim) if link[0] == victim], last_s, "hold")

    def _one_way_in(self, victim, last_s):
        self._on_links([link for link in self._links(victim) if link[1] == victim], last_s, "hold")

    def _flap(self, victim, last_s):
        end = time.monotonic() + last_s
        while time.monotonic() < end:
            self._on_links(self._links(victim), self.chance.uniform(0.02, 0.3), "cut")
            time.sleep(self.chance.uniform(0.02, 0.3))

    def _delay(self, victim, last_s):
        self._on_links(self._links(victim), last_s, "delay",
                       delay_s=self.chance.uniform(0.005, 0.2))

    def _lossy(self, victim, last_s):
        self._on_links(self._links(victim), last_s, "lossy", chance=0.05)

    def _half_open(self, victim, last_s):
        self._on_links(self._links(victim), last_s, "half_open")

    def _demote(self, victim, last_s):
        """A voter becomes observer under load, and voter again."""
        if self.cluster.ctl("member", "demote", str(victim), code=None).code == 0:
            time.sleep(last_s)
            until(lambda: self.cluster.ctl("member", "promote", str(victim), code=None).code == 0,
                  f"node {victim} is a voter again", 30, 0.2)

    def _full_disk(self, _last_node, last_s):
        with self.cluster.full_disk():
            time.sleep(last_s)

    def _transfer(self, _victim, _last_s):
        to = self.chance.choice(list(self.cluster.nodes))
        self.cluster.ctl("transfer-leader", str(to), code=None)
