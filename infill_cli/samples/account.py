"""Bank accounts that can pay each other, amounts in cents."""


class InsufficientFunds(Exception):
    """The account does not hold the amount asked for."""


class Account:
    """An account with a name, a balance and a limit."""

    def __init__(self, owner: str, balance: int, limit: int) -> None:
        self.owner = owner
        self.balance = balance
        self.limit = limit

    def deposit(self, amount: int) -> None:
        """Add an amount to the balance."""
        self.balance += amount

    def withdraw(self, amount: int) -> None:
        """Take an amount off the balance."""
        if amount > self.balance + self.limit:
            raise InsufficientFunds(f"{self.owner} cannot pay {amount}")
        self.balance -= amount


def transfer(source: Account, target: Account, amount: int) -> None:
    """Move an amount from one account to another."""
    source.withdraw(amount)
    target.deposit(amount)
