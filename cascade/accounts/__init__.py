"""Who may spend how much: keys, budgets and rates that hold across threads, processes, replicas.

Amounts are leased from a database and spent in memory: most requests ask no database at all, and
what is settled and leased together never passes a limit. `cascade.accounts.lease` holds the part
in memory, `cascade.accounts.books` the part in the database.
"""

from cascade.accounts.accounts import Accounts
from cascade.accounts.key import Key
from cascade.accounts.purse import Purse
from cascade.accounts.rates import Admission
from cascade.accounts.releasing import Released
from cascade.accounts.spending import Spent

__all__ = ["Accounts", "Admission", "Key", "Purse", "Released", "Spent"]
