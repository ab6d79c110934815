"""Whatever processes do, in whatever order: used and leased together stay within the limit."""

import tempfile
from decimal import Decimal
from pathlib import Path
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cascade.accounts import books, lease, tables
from cascade.accounts.books import Owner, apply, fail, keep, tidy_up
from cascade.accounts.keyring import Keyring
from cascade.accounts.lease import Lease, Ticket
from cascade.accounts.line import Line
from cascade.database.place import url_of

LEASE_S = 60.0
DAY = 86_400.0
NOON = 20_000 * DAY + DAY / 2

IN_MEMORY = Path("/dev/shm")  # noqa: S108  else a disk's pace is what is tested

amounts = st.integers(1, 400).map(lambda cents: Decimal(cents) / 1000)
which = st.integers(0, 10**6)


class Process:
    """A process without a thread: its books are kept when the machine says so."""

    def __init__(self, number, path, key):
        self.line = Line(url_of(path))
        self.owner = Owner(f"process-{number}", LEASE_S)
        self.lease = Lease(key.id, "usd", lambda: None)
        self.tickets = []
        self.flying = []  # amount and day of each call in flight

    def keep(self, *, how="well"):
        """Keep the books; "lost" fails after the commit and "failed" before it."""
        plans = []
        try:
            with self.line.kept() as connection:
                keep(connection, [self.lease], plans, self.owner)
                if how == "failed":
                    raise TimeoutError
            if how == "lost":
                raise TimeoutError
        except TimeoutError:
            fail(plans)
            for plan in plans:
                for ticket in (*plan.granted, *plan.refused):
                    ticket.future.set_result(False)
        else:
            apply(plans, LEASE_S)


class Machine(RuleBasedStateMachine):
    """Up to four processes share one key's day and month."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None)
        self.path = str(Path(self.folder.name) / "x.sqlite3")
        self.now = NOON
        self.patches = [
            mock.patch.object(books, "monotonic", self.clock),
            mock.patch.object(lease, "monotonic", self.clock),
        ]
        for patch in self.patches:
            patch.start()
        self.real_clock = tables.CLOCK["sqlite"]
        tables.CLOCK["sqlite"] = repr(self.now)
        self.processes = []
        self.paid = {}  # by day, what calls that ended did cost
        self.held = {}  # by day, what of it is held for calls of unknown cost
        self.born = 0

    def clock(self):
        """What all processes take for the time since they were started."""
        return self.now - NOON

    @initialize(day=st.integers(1, 20), month=st.integers(1, 30))
    def begin(self, day, month):
        keyring = Keyring(self.path)
        self.day_limit, self.month_limit = Decimal(day) / 10, Decimal(month) / 10
        self.key, _ = keyring.create(
            "x", budget_day_usd=self.day_limit, budget_month_usd=self.month_limit
        )
        self.keyring, self.look = keyring, keyring._line
        self.start()

    @rule()
    @precondition(lambda self: len(self.processes) < 4)
    def start(self):
        """A process begins."""
        self.born += 1
        self.processes.append(Process(self.born, self.path, self.key))

    def one(self, number):
        return self.processes[number % len(self.processes)]

    @rule(number=which, amount=amounts)
    @precondition(lambda self: self.processes)
    def reserve(self, number, amount):
        """A call reserves from what is at hand, or asks for more."""
        process = self.one(number)
        if process.lease.reserve(amount):
            process.flying.append((amount, self.today(process)))
        else:
            ticket = Ticket(amount, self.now - NOON)
            process.lease.waiting.append(ticket)
            process.tickets.append(ticket)

    def today(self, process):
        return process.lease.pockets[-1].period

    @rule(number=which, how=st.sampled_from(["well", "well", "well", "lost", "failed"]))
    @precondition(lambda self: self.processes)
    def keep_books(self, number, how):
        """A process keeps its books; the line may break before or after the commit."""
        self.kept(self.one(number), how)

    def kept(self, process, how="well"):
        process.keep(how=how)
        for ticket in process.tickets:
            if ticket.future.done() and ticket.future.result():
                process.flying.append((ticket.amount, self.today(process)))
        process.tickets = [one for one in process.tickets if not one.future.done()]

    @rule(number=which, share=st.integers(0, 10), known=st.booleans())
    @precondition(lambda self: any(process.flying for process in self.processes))
    def settle(self, number, share, known):
        """A call ends; what it cost may be unknown."""
        flying = [process for process in self.processes if process.flying]
        process = flying[number % len(flying)]
        amount, _ = process.flying[number % len(process.flying)]
        day = min(day for held, day in process.flying if held == amount)  # the oldest of its like
        process.flying.remove((amount, day))
        cost = amount * share / 10
        process.lease.settle(amount, cost if known else None)
        paid = cost if known else amount
        self.paid[day] = self.paid.get(day, Decimal(0)) + paid
        if not known:
            self.held[day] = self.held.get(day, Decimal(0)) + amount

    @rule(whole_month=st.booleans(), share=st.sampled_from([0, 0, 3, 10]))
    @precondition(lambda self: any(self.held.values()))
    def release(self, whole_month, share):
        """Somebody gives back what is held, but for what was billed, while others spend."""
        written = {day: held for day, (_, held) in self.used().items() if held and len(day) == 10}
        day = max(written, default="1970-01-01")
        period = day[:7] if whole_month else day
        days = [one for one in written if one.startswith(period)]
        billed = written[day] * share / 10 if len(days) == 1 else Decimal(0)
        before = sum(written[one] for one in days)
        released = self.keyring.release("x", period, billed_usd=billed)
        assert (released.held_usd, released.usd) == (before, before - billed)
        for one in days:
            self.held[one] -= written[one]
            self.paid[one] -= written[one]
        self.paid[day] = self.paid.get(day, Decimal(0)) + billed

    def used(self):
        """What the database says was used and is held, by period."""
        with self.look.kept() as connection:
            rows = connection.exec_driver_sql(
                "SELECT period, amount, held FROM cascade_used"
            ).fetchall()
        return {period: (Decimal(amount), Decimal(held)) for period, amount, held in rows}

    @rule(number=which)
    @precondition(lambda self: len(self.processes) > 1)
    def crash(self, number):
        """A process dies; what it had not yet written is lost with it."""
        process = self.processes.pop(number % len(self.processes))
        for pocket in process.lease.pockets:
            lost, unknown = pocket.spent, pocket.unknown.held
            if pocket.unsure is not None and self.has_arrived(process, pocket):
                lost, unknown = lost - pocket.unsure[1], unknown - pocket.unsure[2].held
            self.paid[pocket.period] = self.paid.get(pocket.period, Decimal(0)) - lost
            self.held[pocket.period] = self.held.get(pocket.period, Decimal(0)) - unknown
        process.line.rest()

    def has_arrived(self, process, pocket):
        """Whether a write of which the process heard no more is in the database."""
        with self.look.kept() as connection:
            found = connection.exec_driver_sql(
                "SELECT step FROM cascade_leases WHERE owner = ? AND period = ?",
                (process.owner.name, pocket.period),
            ).fetchall()
        return found == [(pocket.unsure[0],)]

    @rule(seconds=st.sampled_from([0.5, 5.0, 30.0, 70.0, DAY / 4, DAY, 20 * DAY]))
    def pass_time(self, seconds):
        """Time passes; whoever lives gives signs of life meanwhile."""
        for _ in range(3):
            for process in self.processes:
                if process.lease.is_alive:
                    self.kept(process)
            self.set(self.now + min(seconds / 3, LEASE_S / 2))
        for process in self.processes:
            if process.lease.is_alive:
                self.kept(process)
        if seconds > LEASE_S:
            self.leap(seconds)

    def leap(self, seconds):
        """A long time passes, in which everybody keeps the books all the while."""
        end = self.now + seconds
        self.set(end)
        # As if they had been renewed: a lease that lasts is one whose owner was heard of.
        with self.look.kept() as connection:
            for process in self.processes:
                connection.exec_driver_sql(
                    "UPDATE cascade_leases SET expires_at = ? WHERE owner = ?",
                    (end + LEASE_S, process.owner.name),
                )

    def set(self, moment):
        self.now = moment
        tables.CLOCK["sqlite"] = repr(moment)

    @rule()
    def tidy(self):
        """The dead are cleared away."""
        with self.look.kept() as connection:
            tidy_up(connection, LEASE_S)

    @invariant()
    def never_more_than_the_limit(self):
        """What calls cost, what they may yet cost, and what the database says: all within it."""
        used = self.used()
        with self.look.kept() as connection:
            leased = connection.exec_driver_sql(
                "SELECT period, amount FROM cascade_leases WHERE expires_at > ?", (self.now,)
            ).fetchall()
        periods = {str(day)[:length] for day in [*used, *self.paid] for length in (7, 10)}
        for period in periods:
            limit = self.day_limit if len(period) == 10 else self.month_limit
            written = used.get(period, (Decimal(0), Decimal(0)))[0]
            held = sum(Decimal(amount) for day, amount in leased if day.startswith(period))
            assert written + held <= limit, (period, written, held)
            paid = sum(cost for day, cost in self.paid.items() if str(day).startswith(period))
            flying = sum(
                amount
                for process in self.processes
                for amount, day in process.flying
                if day.startswith(period)
            )
            assert paid + flying <= limit, (period, paid, flying)

    @invariant()
    def held_is_part_of_what_was_used(self):
        """Nothing more is held than was used, and a month holds what its days hold."""
        used = self.used()
        for month in {period[:7] for period in used}:
            days = [used[period] for period in used if len(period) == 10 and period[:7] == month]
            assert used[month] == tuple(map(sum, zip(*days, strict=True)))
        assert all(0 <= held <= amount for amount, held in used.values())

    def teardown(self):
        """At the end all is booked, to the digit, and nothing is held."""
        try:
            self.end()
        finally:
            tables.CLOCK["sqlite"] = self.real_clock
            for patch in self.patches:
                patch.stop()
            self.look.rest()
            self.folder.cleanup()

    def end(self):
        """Let all calls end, and all processes give back what they hold."""
        for process in self.processes:
            self.kept(process)
            for amount, day in process.flying:
                process.lease.settle(amount, amount)
                self.paid[day] = self.paid.get(day, Decimal(0)) + amount
            for _ in range(4):
                self.kept(process)
                self.set(self.now + 2)
            assert not process.lease.is_alive
            process.line.rest()
        if self.born == len(self.processes):  # nobody crashed
            used = {day: sums for day, sums in self.used().items() if len(day) == 10 and any(sums)}
            told = {day: (paid, self.held.get(day, 0)) for day, paid in self.paid.items() if paid}
            assert used == told


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
