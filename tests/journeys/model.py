"""A shop beside a model of it; both must always agree.

Carts, with a coupon or without, become orders; orders are paid, changed, sent in parts, cancelled, refunded; goods come
back.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

from hypothesis import strategies as some
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from tests.conftest import open_client
from tests.journeys.test_money import work_off
from tests.journeys.test_offers import offer
from tests.making import moved_by, new_product, some_products
from tests.servers import HOME, REDIS, create_database, drop_database
from tfmshop import config
from tfmshop.commerce import checkout, orders, promotions
from tfmshop.commerce.payments import FakeProvider, RefundTooLarge
from tfmshop.platform.db import Options, Query, Tx, broken, connect
from tfmshop.platform.errors import ShopError

STAND = Query("model.stand", "SELECT o.id::text, o.status, o.payment_status, coalesce(b.refunded, 0) "
              "FROM orders.placed AS o LEFT JOIN payments.balance AS b ON b.order_id = o.id")  # fmt: skip
SHELF = Query("model.shelf", "SELECT sku, available FROM inventory.stock")
USED = Query("model.used", "SELECT used::int FROM promotions.offer")
PRICE = 1000
UNITS = 9
USES = 3
"""How often the coupon, a tenth off, can be used."""
COUPON = "TENTH"
TAKEN = {"captured", "partially_refunded", "refunded"}
UNSENT = {"paid", "packed"}
Draw: TypeAlias = Callable[[some.SearchStrategy[Any]], Any]
SKUS, BOOLEANS = some.sampled_from("AB"), some.booleans()
LIKELY = {
    "placed": ("confirm", "confirm", "cancel"), "paid": ("pack", "send", "send", "take_off", "refund", "cancel"),
    "packed": ("send", "send", "take_off", "refund", "cancel"),
    "partially_shipped": ("send", "send_no_more", "come_back", "refund"),
    "shipped": ("deliver", "come_back", "refund"), "delivered": ("come_back", "refund"),
    "refunded": ("send_no_more", "come_back"),
}  # fmt: skip
ACTS = sorted({act for acts in LIKELY.values() for act in acts})


@dataclass
class Bought:
    """What the model knows of an order; `taken` is what it cost when it was placed."""

    units: dict[str, int]
    status: str = "paid"
    money: str = "authorized"
    coupon: bool = False
    back: int = 0
    taken: int = 0
    sent: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})
    returned: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})
    rest: dict[str, int] = field(default_factory=dict)
    """What was called off."""

    def __post_init__(self) -> None:
        self.taken = self.worth(self.units)

    def worth(self, units: dict[str, int]) -> int:
        return (PRICE - PRICE // 10 * self.coupon) * sum(units.values())

    @property
    def left(self) -> int:
        """Money of it that the shop has."""
        return self.taken - self.back if self.money in TAKEN else 0

    def pay_back(self, amount: int, *, closes: bool = True) -> None:
        self.back += amount
        self.money = "refunded" if self.back == self.taken else "partially_refunded"
        if self.money == "refunded" and closes and self.status in {"delivered", "partially_shipped"}:
            self.status = "refunded"

    def can_come_back(self, sku: str) -> int:
        whole = self.status in {"shipped", "delivered"}
        sent = self.units.get(sku, 0) - self.rest.get(sku, 0) if whole else self.sent[sku]
        return sent - self.returned[sku]


@dataclass
class Model:
    """What a shop should be: units on the shelf, units in carts, orders."""

    shelf: dict[str, int] = field(default_factory=lambda: {"A": UNITS, "B": UNITS})
    carts: dict[str, dict[str, int]] = field(default_factory=dict)
    orders: dict[str, Bought] = field(default_factory=dict)
    coupons: set[str] = field(default_factory=set)
    """Carts that have the coupon."""

    @property
    def used(self) -> int:
        return sum(bought.coupon and bought.status != "cancelled" for bought in self.orders.values())

    def give_back(self, bought: Bought) -> None:
        for sku, units in bought.units.items():
            self.shelf[sku] += units


class ShopMachine(RuleBasedStateMachine):
    """Random lives of a shop."""

    carts: Bundle[str] = Bundle("carts")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = Model()
        self.tokens: dict[str, dict[str, Any]] = {}
        self.products: dict[str, str] = {}
        self.run = self.runner.run
        self.run(self._open())

    async def _open(self) -> None:
        self.url = await create_database(f"model_{uuid4().hex[:12]}")
        settings = config.read(
            {"APP_ENV": "test", "REDIS_URL": os.environ[REDIS], "TFMSHOP_HOME": os.environ[HOME]}, None
        )
        self.db = await connect(self.url, Options(minimum=1, maximum=2))
        self.company = FakeProvider()
        self.providers = moved_by(fake=self.company)
        self.client = open_client(settings, self.db, self.company)
        self.shop = await self.client.__aenter__()
        async with self.db.tx() as tx:
            made = await some_products(tx, *[new_product(sku=sku, price=PRICE, stock=UNITS) for sku in ("A", "B")])
            await promotions.add(tx, offer(COUPON, max_uses=USES))
        self.products = dict(zip(("A", "B"), made, strict=True))

    @initialize(coupon=some.booleans())
    def start(self, coupon: bool) -> None:
        """Two orders are paid and taken: most of what can happen to an order happens after that."""
        for units, off in (({"A": 2, "B": 1}, coupon), ({"B": 2}, False)):
            self.buy(self.fill(units, off), "ok")
        self.work()

    @rule(target=carts, units=some.dictionaries(some.sampled_from("AB"), some.integers(1, 3), min_size=1),
          coupon=some.booleans())  # fmt: skip
    def fill(self, units: dict[str, int], coupon: bool) -> Any:
        if any(self.model.shelf[sku] < wanted for sku, wanted in units.items()):
            return multiple()
        cart = self.run(self.shop.cart_with(*[(self.products[sku], wanted) for sku, wanted in units.items()]))
        self.tokens[cart["id"]] = cart
        self.model.carts[cart["id"]] = units
        if coupon:
            path, owner = f"carts/{cart['id']}/coupon", {"Cart-Token": cart["token"]}
            answer = self.run(self.shop.put(path, json={"code": COUPON}, headers=owner))
            assert answer.status_code == (200 if self.model.used < USES else 409), answer.text
            self.model.coupons |= {cart["id"]} if answer.status_code == 200 else set()
        return cart["id"]

    @rule(cart=carts, token=some.sampled_from(["ok", "ok", "twice", "late", "decline", "challenge"]))
    def buy(self, cart: str, token: str) -> None:
        answer = self.run(self.shop.buy(self.tokens[cart], token=token))
        units = self.model.carts.get(cart)
        if units is None:
            assert answer.json()["code"] == "cart_ordered", answer.text
            return
        coupon = cart in self.model.coupons
        if coupon and self.model.used >= USES:
            assert answer.json()["code"] == "coupon_invalid", answer.text
            return
        if any(self.model.shelf[sku] < wanted for sku, wanted in units.items()):
            assert answer.json()["code"] == "out_of_stock", answer.text
            return
        if token == "decline":
            assert answer.status_code == 402, answer.text
            declined = next(id for id, *_ in self._stand() if id not in self.model.orders)
            self.model.orders[declined] = Bought(units, "cancelled", "declined", coupon)
            return
        for sku, wanted in units.items():
            self.model.shelf[sku] -= wanted
        del self.model.carts[cart]
        challenged = token == "challenge"
        assert answer.status_code == (202 if challenged else 201), answer.text
        id: str = answer.json()["order_id" if challenged else "id"]
        stand = ("placed", "action_required") if challenged else ("paid", "authorized")
        self.model.orders[id] = Bought(dict(units), *stand, coupon)
        self.tokens[id] = {"cart": cart}

    @precondition(lambda self: self.model.orders)
    @rule(data=some.data(), odd=some.integers(0, 9))
    def act(self, data: some.DataObject, odd: int) -> None:
        """What can happen to an order as it stands; one time in ten whatever comes, to whichever order."""
        all_orders = self.model.orders
        alive = [id for id, bought in all_orders.items() if bought.status in LIKELY]
        order = data.draw(some.sampled_from(list(all_orders) if odd == 4 or not alive else alive))
        acts = ACTS if odd == 4 else LIKELY.get(all_orders[order].status, ACTS)
        getattr(self, data.draw(some.sampled_from(acts)))(order, data.draw)

    def confirm(self, order: str, draw: Draw) -> None:
        approve = draw(BOOLEANS)
        waited = self.run(self.company.confirm(order, approve=approve))
        bought = self.model.orders[order]
        if not waited:
            return
        if bought.status == "placed" and approve:
            bought.status, bought.money = "paid", "authorized"
        elif bought.status == "placed":
            self._release(order, "declined")

    @rule(works=some.booleans())
    def tend(self, works: bool) -> None:
        """The job runner works, or the sweeper comes."""
        if works:
            self.work()
        else:
            self.sweep()

    def sweep(self) -> None:
        self.run(checkout.sweep(self.db, self.providers, timedelta(0), challenged=timedelta(0)))
        for order, bought in self.model.orders.items():
            if bought.status == "placed":
                self._release(order, "voided")

    def work(self) -> None:
        self.run(work_off(self.db))
        for bought in self.model.orders.values():
            if bought.status in UNSENT and bought.money == "authorized":
                bought.money = "captured"

    def cancel(self, order: str, _: Draw) -> None:
        bought = self.model.orders[order]
        work = self._in_tx(lambda tx: checkout.cancel(tx, UUID(order), who="staff", why="changed their mind"))
        if bought.status not in {"placed", *UNSENT}:
            self._refused(work, orders.CannotMove)
            return
        self.run(work())
        if bought.status == "placed":
            self._release(order, "voided")
            return
        self.model.give_back(bought)
        taken = bought.money in TAKEN
        bought.status, bought.money = "cancelled", "refunded" if taken else "voided"
        bought.back = bought.taken if taken else 0

    def pack(self, order: str, _: Draw) -> None:
        bought = self.model.orders[order]
        work = self._in_tx(lambda tx: orders.fulfil.pack(tx, UUID(order), "staff"))
        if bought.status == "paid" and bought.money != "refunded":
            self.run(work())
            bought.status = "packed"
        else:
            self._refused(work, orders.CannotMove)

    def send(self, order: str, draw: Draw) -> None:
        """Send units of one kind, or all of them."""
        bought, sku = self.model.orders[order], draw(SKUS)
        units = draw(some.integers(0, 3)) or max(1, bought.units.get(sku, 0) - bought.sent[sku])
        work = self._in_tx(
            lambda tx: orders.fulfil.ship(tx, UUID(order), {sku: units}, carrier="", tracking="", who="staff")
        )
        ready = bought.status in UNSENT and bought.money in {"captured", "partially_refunded"}
        left = bought.units.get(sku, 0) - bought.sent[sku]
        if left >= units and (ready or bought.status == "partially_shipped"):
            self.run(work())
            bought.sent[sku] += units
            whole = all(bought.sent[one] == wanted for one, wanted in bought.units.items())
            bought.status = "shipped" if whole else "partially_shipped"
        else:
            self._refused(work, ShopError)

    def send_no_more(self, order: str, _: Draw) -> None:
        """What is left goes to the shelf, and its money back, unless all of that went back before."""
        bought = self.model.orders[order]
        work = self._in_tx(lambda tx: checkout.cancel_rest(tx, UUID(order), who="staff", why="sold out"))
        rest = {sku: wanted - bought.sent[sku] for sku, wanted in bought.units.items()}
        begun = any(bought.sent.values()) and any(rest.values()) and not bought.rest
        if not begun or bought.status not in {"partially_shipped", "refunded"}:
            self._refused(work, orders.CannotMove)
            return
        self.run(work())
        bought.rest = rest
        for sku, units in rest.items():
            self.model.shelf[sku] += units
        if bought.status == "refunded":
            return
        if amount := min(bought.worth(rest), bought.left):
            bought.pay_back(amount, closes=False)
        bought.status = "shipped"

    def deliver(self, order: str, _: Draw) -> None:
        bought = self.model.orders[order]
        work = self._in_tx(lambda tx: orders.fulfil.deliver(tx, UUID(order), "staff"))
        if bought.status == "shipped":
            self.run(work())
            bought.status = "delivered"
        else:
            self._refused(work, orders.CannotMove)

    def come_back(self, order: str, draw: Draw) -> None:
        """Asked for and received in one: refused as a whole when its money is gone."""
        bought, sku, units, restock = self.model.orders[order], draw(SKUS), draw(some.integers(1, 3)), draw(BOOLEANS)

        async def back(tx: Tx) -> None:
            asked = await orders.returns.ask(tx, UUID(order), {sku: units}, who="guest", why="")
            await checkout.take_back(tx, asked.id, restock=restock, amount=None, who="staff", answer="")

        work, amount = self._in_tx(back), bought.worth({sku: units})
        if bought.can_come_back(sku) < units or amount > bought.left:
            self._refused(work, ShopError)
            return
        self.run(work())
        bought.returned[sku] += units
        self.model.shelf[sku] += units if restock else 0
        bought.pay_back(amount)

    def take_off(self, order: str, draw: Draw) -> None:
        bought, sku, units = self.model.orders[order], draw(SKUS), draw(some.integers(0, 2))
        work = self._in_tx(lambda tx: checkout.edit(
            tx, UUID(order), orders.editing.Edit(units={sku: units}), who="staff", why="asked"
        ))  # fmt: skip
        less = bought.units.get(sku, 0) - units
        amount = bought.worth({sku: max(less, 0)})
        nothing = less == sum(bought.units.values())
        if bought.status not in UNSENT or less <= 0 or nothing or amount > bought.left:
            self._refused(work, ShopError)
            return
        self.run(work())
        self.model.shelf[sku] += less
        bought.units = {one: there for one, there in (bought.units | {sku: units}).items() if there}
        bought.pay_back(amount, closes=False)

    def refund(self, order: str, draw: Draw) -> None:
        bought, amount = self.model.orders[order], draw(some.one_of(some.none(), some.integers(1, 4000)))
        work = self._in_tx(lambda tx: checkout.ask_refund(tx, UUID(order), amount, who="staff", why="late"))
        if bought.money not in {"captured", "partially_refunded"}:
            self._refused(work, ShopError)
        elif amount is not None and amount > bought.left:
            self._refused(work, RefundTooLarge)
        else:
            self.run(work())
            bought.pay_back(bought.left if amount is None else amount)

    @invariant()
    def they_agree(self) -> None:
        assert dict(self._rows(SHELF)) == self.model.shelf
        assert self._rows(USED) == [(self.model.used,)]
        assert {id: (status, money, back) for id, status, money, back in self._stand()} == {
            id: (bought.status, bought.money, bought.back) for id, bought in self.model.orders.items()
        }

    def teardown(self) -> None:
        async def close() -> None:
            await work_off(self.db)
            async with self.db.read() as tx:
                found = await broken(tx)
            await self.client.__aexit__(None, None, None)
            await self.db.close()
            await drop_database(self.url.split("?")[0].rsplit("/", 1)[1])
            assert found == {}

        self.work()
        for id, bought in self.model.orders.items():
            assert self.company.taken(id) == bought.left, (id, bought)
        self.run(close())
        self.runner.close()

    def _release(self, order: str, money: str) -> None:
        bought = self.model.orders[order]
        bought.status, bought.money = "cancelled", money
        self.model.give_back(bought)
        self.model.carts[self.tokens[order]["cart"]] = bought.units

    def _in_tx(self, change: Callable[[Tx], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
        return lambda: self.db.transact(change)

    def _refused(self, work: Any, kind: type[Exception]) -> None:
        try:
            self.run(work())
        except kind:
            return
        raise AssertionError("it should have been refused")

    def _stand(self) -> list[tuple[Any, ...]]:
        return self._rows(STAND)

    def _rows(self, query: Query) -> list[tuple[Any, ...]]:
        async def read() -> list[tuple[Any, ...]]:
            async with self.db.read() as tx:
                return [tuple(row) for row in await tx.rows(query)]

        return self.run(read())
