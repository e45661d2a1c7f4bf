"""Editing products and the tree of categories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tests.making import a_product, new_product, some_products
from tfmshop.commerce import catalog, search
from tfmshop.commerce.catalog import jobs
from tfmshop.commerce.catalog.errors import (
    BadPrice,
    BadSpecification,
    CannotMoveCategory,
    CategoryInUse,
    CategoryNotFound,
    SlugTaken,
    StaleVersion,
)
from tfmshop.commerce.catalog.units import in_unit
from tfmshop.commerce.search.jobs import category_changed
from tfmshop.platform import codec
from tfmshop.platform.db import Query, broken

DAYS_PASS = Query(
    "test.days_pass",
    """
WITH priced AS (UPDATE catalog.variant SET priced_at = priced_at - $1::interval)
UPDATE catalog.former_price SET began_at = began_at - $1::interval, ended_at = ended_at - $1::interval
""",
)


async def names(tx, **wanted) -> list[str]:
    return [item.title for item in (await search.find(tx, search.Wanted(sort="title", **wanted))).items]


async def test_a_change_bumps_the_version_and_reaches_lists_in_the_same_transaction(tx):
    id = await a_product(tx, title="Old lamp")
    page = await catalog.show(tx, id)
    version = await catalog.edit.change(tx, id, catalog.edit.Changes(title="New lamp", badge="new"), page.version)
    assert version == page.version + 1
    with pytest.raises(StaleVersion):
        await catalog.edit.change(tx, id, catalog.edit.Changes(title="Other"), page.version)
    assert await names(tx) == ["New lamp"]
    assert await names(tx, q="old") == []
    assert (await catalog.show(tx, id)).badge == "new"
    assert await broken(tx) == {}


async def test_an_old_slug_leads_to_the_new_one_and_can_be_taken_back(tx):
    id = await a_product(tx, title="Paper lantern")
    other = await a_product(tx, title="Other lantern")
    await catalog.edit.change(tx, id, catalog.edit.Changes(slug="rice-paper-lantern"))
    with pytest.raises(catalog.errors.Moved) as moved:
        await catalog.show(tx, "paper-lantern")
    assert moved.value.slug == "rice-paper-lantern"
    with pytest.raises(SlugTaken):
        await catalog.edit.change(tx, other, catalog.edit.Changes(slug="rice-paper-lantern"))
    await catalog.edit.change(tx, id, catalog.edit.Changes(slug="paper-lantern"))
    assert (await catalog.show(tx, "paper-lantern")).id == UUID(id)
    with pytest.raises(catalog.errors.Moved):
        await catalog.show(tx, "rice-paper-lantern")


async def test_over_http_an_old_slug_answers_301(shop, db):
    async with db.tx() as tx:
        id = await a_product(tx, title="Paper lantern", category=("Lamps", "Paper"))
        await catalog.edit.change(tx, id, catalog.edit.Changes(slug="lantern"))
        await catalog.arrange.rename(tx, "paper", "Rice paper", "rice-paper")
    answer = await shop.get("products/paper-lantern")
    assert (answer.status_code, answer.headers["location"]) == (301, "/api/v1/products/lantern")
    assert (await shop.get(answer.headers["location"])).json()["id"] == id
    answer = await shop.get("categories/paper")
    assert (answer.status_code, answer.headers["location"]) == (301, "/api/v1/categories/rice-paper")


async def test_drafts_and_archived_products_are_off_sale_and_counts_follow(tx):
    id = await a_product(tx, title="Lamp", category=("Lighting", "Lamps"))
    for status, listed in (("draft", 0), ("active", 1), ("archived", 0), ("active", 1)):
        await catalog.edit.change(tx, id, catalog.edit.Changes(status=status))
        assert len(await names(tx, category="lighting")) == listed
        assert (await catalog.show_category(tx, "lighting")).product_count == listed
    assert await broken(tx) == {}


async def test_the_schedule_publishes_and_withdraws(db):
    past = datetime.now(UTC) - timedelta(minutes=1)
    future = datetime.now(UTC) + timedelta(hours=1)
    async with db.tx() as tx:
        due, later = await some_products(tx, new_product(title="Due"), new_product(title="Later"))
        for id, at in ((due, past), (later, future)):
            await catalog.edit.change(tx, id, catalog.edit.Changes(status="draft", publish_at=at))
    await jobs.publish_due(db)
    async with db.tx() as tx:
        assert await names(tx) == ["Due"]
        await catalog.edit.change(tx, due, catalog.edit.Changes(withdraw_at=past))
    await jobs.publish_due(db)
    async with db.tx() as tx:
        assert await names(tx) == []


async def test_the_lowest_price_of_thirty_days_is_the_one_before_the_reduction(tx):
    id = await a_product(tx, sku="LAMP", price=5000)

    async def lowest():
        variants = codec.decode(codec.encode((await catalog.show(tx, id)).variants))
        return (variants[0]["lowest_price_30_days"] or {}).get("amount")

    assert await lowest() is None
    for price in (4000, 6000):
        await tx.execute(DAYS_PASS, timedelta(days=10))
        await catalog.variants.change(tx, "LAMP", catalog.variants.VariantChanges(price=price))
    assert await lowest() == 4000
    assert (await catalog.show(tx, id)).price.amount == 6000
    await tx.execute(DAYS_PASS, timedelta(days=40))
    await catalog.variants.change(tx, "LAMP", catalog.variants.VariantChanges(price=3000))
    assert await lowest() == 6000
    with pytest.raises(BadPrice):
        await catalog.variants.change(tx, "LAMP", catalog.variants.VariantChanges(compare_at_price=2000))
    assert await broken(tx) == {}


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [("1 TB", "GB", 1000), ("1,5 TB", "GB", 1500), ("15.6 inch", "cm", 39.624), ("512", "GB", 512), ("2 kg", "g", 2000),
     ("5 V", "GB", None), ("much", "GB", None), ('15.6"', "in", 15.6), ("10", None, 10)],
)  # fmt: skip
def test_quantities_are_converted(text, unit, expected):
    assert in_unit(text, unit) == expected


async def test_specifications_are_what_their_attributes_say(tx):
    id = await a_product(tx, category=("Computers", "Disks"), specifications={"colour": "black"})
    definition = catalog.attributes.Definition("capacity", "Capacity", "number", "GB")
    await catalog.attributes.define(tx, "computers", definition)
    await catalog.edit.change(tx, id, catalog.edit.Changes(specifications={"capacity": "1 TB", "colour": "red"}))
    page = codec.decode(codec.encode(await catalog.show(tx, id)))
    assert page["specifications"] == {"capacity": 1000, "colour": "red"}
    assert page["attributes"] == {"capacity": {"label": "Capacity", "kind": "number", "unit": "GB"}}
    assert len(await names(tx, specifications={"capacity": "1000"})) == 1
    for wrong in ("plenty", True, "5 V"):
        with pytest.raises(BadSpecification):
            await catalog.edit.change(tx, id, catalog.edit.Changes(specifications={"capacity": wrong}))
    below = catalog.attributes.Definition("capacity", "Size", "number", "TB")
    await catalog.attributes.define(tx, "disks", below)
    disks = (await catalog.show_category(tx, "disks")).id
    assert (await catalog.attributes.of(tx, [disks]))[disks]["capacity"].unit == "TB"


async def test_related_products_are_those_chosen_then_the_newest_of_the_category(tx):
    first, second, third = await some_products(tx, *[new_product(title=f"Lamp {n}") for n in range(3)])
    far = await a_product(tx, title="Chair", category=("Furniture", "Chairs"))
    await catalog.edit.relate(tx, UUID(first), [UUID(far)])
    related = await catalog.related(tx, first, 10)
    assert str(related[0].id) == far
    assert {str(item.id) for item in related[1:]} == {second, third}


async def test_a_branch_moves_with_everything_below_it(db):
    async with db.tx() as tx:
        await some_products(tx, new_product(title="Lamp", category=("Home", "Lighting", "Lamps")),
                            new_product(title="Tent", category=("Outdoors", "Tents"), tags=[]))  # fmt: skip
        assert await catalog.arrange.move(tx, "lighting", "outdoors") == 2
        assert len(await names(tx, category="outdoors")) == 2
        assert (await catalog.show_category(tx, "outdoors")).product_count == 2
        assert (await catalog.show_category(tx, "home")).product_count == 0
        assert [c.slug for c in (await catalog.show_category(tx, "lamps")).breadcrumbs] == [
            "outdoors", "lighting", "lamps",
        ]  # fmt: skip
        for into in ("lamps", "lighting"):
            with pytest.raises(CannotMoveCategory):
                await catalog.arrange.move(tx, "lighting", into)
        with pytest.raises(CategoryInUse):
            await catalog.arrange.drop(tx, "lamps")
        await catalog.arrange.drop(tx, "home")
        moved = (await catalog.show_category(tx, "lighting")).id
    await category_changed(db, codec.encode(moved))
    async with db.tx() as tx:
        assert await names(tx, q="outdoors lamp") == ["Lamp"]
        assert await broken(tx) == {}


async def test_categories_are_added_renamed_and_put_in_order(tx):
    top = await catalog.arrange.add(tx, "Garden")
    for name in ("Hoses", "Sheds", "Grills"):
        await catalog.arrange.add(tx, name, "garden")
    await catalog.arrange.order(tx, ["sheds", "grills"])
    page = await catalog.show_category(tx, str(top))
    assert [child.name for child in page.children] == ["Sheds", "Grills", "Hoses"]
    await catalog.arrange.rename(tx, "grills", "Barbecues", "barbecues")
    with pytest.raises(catalog.errors.Moved):
        await catalog.show_category(tx, "grills")
    with pytest.raises(SlugTaken):
        await catalog.arrange.add(tx, "Sheds")


async def test_counts_add_up_without_a_hot_row(db):
    async with db.tx() as tx:
        await some_products(tx, *[new_product() for _ in range(5)])
    for _ in range(2):
        async with db.tx() as tx:
            assert (await catalog.show_category(tx, "lighting")).product_count == 5
        await jobs.add_up_counts(db)


async def test_no_category_takes_the_address_of_the_tree(db):
    async with db.tx() as tx:
        await catalog.Loader().load(tx, [new_product(category=("Tree",)), new_product(category=("Garden", "Tree"))])
        page = await catalog.show_category(tx, "garden-tree")
        assert (page.name, page.product_count) == ("Tree", 1)
        with pytest.raises(CategoryNotFound):
            await catalog.show_category(tx, "tree")
        with pytest.raises(SlugTaken):
            await catalog.arrange.add(tx, "Tree")
        with pytest.raises(SlugTaken):
            await catalog.arrange.rename(tx, "garden", "Tree", "tree")
