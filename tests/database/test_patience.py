"""A server that says nothing is given up after a while; one that answers is left alone."""

import time

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError

from cascade.database.patience import patience
from cascade.database.place import engine_of


@pytest.mark.database
@pytest.mark.loopback
def test_a_silent_server_is_given_up(postgres, wire):
    """The line stays and nothing comes: the question ends with the driver's own error."""
    engine = engine_of(make_url(postgres.where).set(host="127.0.0.1", port=wire.port))
    with engine.connect() as connection:
        wire.is_silent = True
        begun = time.monotonic()
        with pytest.raises(OperationalError), patience(connection, 0.3):
            connection.execute(text("SELECT 1"))
        assert 0.2 < time.monotonic() - begun < 3
        wire.is_silent = False


def test_an_answer_in_time_is_left_alone(database):
    """After the block the line is as good as before, however long it then lasts."""
    with engine_of(make_url(database.engine.url)).connect() as connection:
        for _ in range(2):
            with patience(connection, 0.2):
                assert connection.execute(text("SELECT 1")).scalar_one() == 1
            time.sleep(0.3)
