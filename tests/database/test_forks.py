"""A fork finds no database connection in use, and busy threads do not hold it up."""

import threading
import time

from cascade.database.forks import ForkGate


def test_a_fork_waits_for_who_is_inside_and_lets_nobody_in():
    """While the gate is shut nobody is inside, however busy the threads; then all go on."""
    gate, inside, done = ForkGate(), [0], [False]

    def busy():
        while not done[0]:
            with gate:
                inside[0] += 1
                inside[0] -= 1

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    for _ in range(20):
        gate.shut()
        assert inside == [0]
        assert gate._inside == 0
        gate.open()
    assert time.monotonic() - begun < 8  # patience for one fork alone is ten seconds
    done[0] = True
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


def test_a_child_begins_anew():
    """In a child the gate is open and empty, whatever it was when the process forked."""
    gate = ForkGate()
    gate.shut()
    gate.renew()
    with gate:
        assert gate._inside == 1
