"""Invoices from usage as it comes over the wire, each computed by hand.

`invoices.json` gives the reply's usage, the arithmetic written out from the price list, and the
amount. The arithmetic is checked on its own, with fractions, so that a slip of the hand and a bug
cannot agree by chance.
"""

from __future__ import annotations

import ast
import json
from fractions import Fraction
from pathlib import Path

import pytest

from cascade.core.pricing import Price, cost_of, model_table, plain
from cascade.core.usage import Usage

INVOICES = json.loads(Path(__file__).with_name("invoices.json").read_text(encoding="utf-8"))
PAID = [invoice for invoice in INVOICES if invoice["usd"] is not None]


def price_of(invoice):
    given = invoice.get("price")
    if given == "free":
        return Price.free()
    if given is not None:
        return Price.of(**given)
    info = model_table().find(invoice["model"])
    return info.price if info else None


def worked_out(arithmetic):
    """The value of `+ * /` over decimal literals, exactly."""

    def value(node):
        match node:
            case ast.Constant():
                return Fraction(ast.get_source_segment(arithmetic, node))
            case ast.BinOp(op=ast.Add()):
                return value(node.left) + value(node.right)
            case ast.BinOp(op=ast.Mult()):
                return value(node.left) * value(node.right)
            case ast.BinOp(op=ast.Div()):
                return value(node.left) / value(node.right)
        raise AssertionError(ast.dump(node))

    return value(ast.parse(arithmetic, mode="eval").body)


@pytest.mark.parametrize("invoice", INVOICES, ids=lambda invoice: invoice["name"])
def test_the_bill_is_the_one_computed_by_hand(invoice):
    """Wire usage, tier, batch and region give the amount, digit for digit, that a person gets."""
    cost = cost_of(
        Usage.from_wire(invoice["usage"]),
        price_of(invoice),
        service_tier=invoice["tier"],
        batch=invoice.get("batch", False),
        regional=invoice.get("regional", False),
        estimated=invoice.get("estimated", False),
    )
    unpaid = invoice["usd"] is None
    assert cost.basis == invoice.get("basis", "unknown" if unpaid else "exact")
    assert (cost.usd is None) if unpaid else (plain(cost.usd) == invoice["usd"])
    if "note" in invoice:
        assert any(invoice["note"] in note for note in cost.notes)
    else:
        assert cost.notes == ()


@pytest.mark.parametrize("invoice", PAID, ids=lambda invoice: invoice["name"])
def test_the_hand_made_no_slip(invoice):
    """The written arithmetic equals the written amount, without Cascade's code."""
    assert worked_out(invoice["by_hand"]) == Fraction(invoice["usd"])


def test_every_invoice_has_its_own_name():
    """No invoice hides another in the test report."""
    names = [invoice["name"] for invoice in INVOICES]
    assert len(names) == len(set(names)) >= 45
