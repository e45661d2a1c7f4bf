"""The ASGI application: routes, problems, OpenAPI, and the edge around them."""

from __future__ import annotations

import gc
from functools import cache
from typing import Any, Final, cast

from litestar import Litestar, Router
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import ParameterKwarg
from litestar.routes import HTTPRoute

from tfmshop import __version__
from tfmshop.platform import Config
from tfmshop.surface.http import health, openapi, problems, scrape
from tfmshop.surface.http.backoffice import assortment as admin_assortment
from tfmshop.surface.http.backoffice import attributes as admin_attributes
from tfmshop.surface.http.backoffice import audit as admin_audit
from tfmshop.surface.http.backoffice import categories as admin_categories
from tfmshop.surface.http.backoffice import customers as admin_customers
from tfmshop.surface.http.backoffice import exports as admin_exports
from tfmshop.surface.http.backoffice import imports as admin_imports
from tfmshop.surface.http.backoffice import operations as admin_operations
from tfmshop.surface.http.backoffice import order_lists as admin_order_lists
from tfmshop.surface.http.backoffice import orders as admin_orders
from tfmshop.surface.http.backoffice import pictures as admin_pictures
from tfmshop.surface.http.backoffice import products as admin_products
from tfmshop.surface.http.backoffice import promotions as admin_promotions
from tfmshop.surface.http.backoffice import returns as admin_returns
from tfmshop.surface.http.backoffice import reviews as admin_reviews
from tfmshop.surface.http.backoffice import search as admin_search
from tfmshop.surface.http.backoffice import security as admin_security
from tfmshop.surface.http.backoffice import staff as admin_staff
from tfmshop.surface.http.backoffice import stock as admin_stock
from tfmshop.surface.http.backoffice import variants as admin_variants
from tfmshop.surface.http.backoffice import webhooks as admin_webhooks
from tfmshop.surface.http.backoffice.guard import all_guarded, staff_only
from tfmshop.surface.http.context import StrictRequest
from tfmshop.surface.http.direct import Maker
from tfmshop.surface.http.edge import Edge, Rules
from tfmshop.surface.http.edge.body import App
from tfmshop.surface.http.edge.door import OpenShop
from tfmshop.surface.http.edge.pages import Route
from tfmshop.surface.http.routing import WholeRouter, before, before_shopping
from tfmshop.surface.http.storefront import (
    auth,
    carts,
    categories,
    checkout,
    me,
    media,
    orders,
    payments,
    privacy,
    products,
    reservations,
    reviews,
    search,
    second_factor,
    sessions,
    sign_in,
)
from tfmshop.surface.http.tiers import LIMIT, Table, limited

NO_RULES: Final = Rules()
BOTH: Final = [*auth.ROUTES, *sessions.ROUTES, *sign_in.ROUTES, *me.ROUTES, *second_factor.ROUTES, *media.ROUTES]
SHOPPING: Final = [
    *products.ROUTES, *categories.ROUTES, *search.ROUTES, *carts.ROUTES, *reservations.ROUTES, *checkout.ROUTES,
    *payments.ROUTES, *orders.ROUTES, *privacy.ROUTES, *reviews.ROUTES,
]  # fmt: skip
Parts = tuple[str, ...]
EVERYTHING: Final[Parts] = ("storefront", "admin")


def parts_of(config: Config) -> Parts:
    """What a server of these settings serves."""
    return tuple(config.words("SERVE_ONLY")) or EVERYTHING


def prepare(only: Parts = EVERYTHING) -> None:
    """Make what every web process needs and none changes: those that are forked afterwards start at once."""
    public_routes(only)
    limits(only)
    gc.collect()
    gc.freeze()


def build(open_shop: OpenShop, rules: Rules = NO_RULES, only: Parts = EVERYTHING) -> Edge:
    """The application, or some parts of it; `open_shop` opens what it works with when the server starts, and closes it
    at the end.
    """
    return Edge(cast("App", routes(only)), open_shop, rules, public_routes(only), limits(only))


@cache
def public_routes(only: Parts = EVERYTHING) -> list[Route]:
    """The paths whose answers anyone may have, as their handlers declare them with `opt["public"]`."""
    found = []
    for route in routes(only).routes:
        if not isinstance(route, HTTPRoute) or "GET" not in route.route_handler_map:
            continue
        handler, _ = route.route_handler_map["GET"]
        if "public" in handler.opt:
            make = Maker(routes(only), route).make
            found.append(Route(route.path_format, handler.opt["public"], _names_of(handler), handler.opt[LIMIT], make))
    return found


@cache
def limits(only: Parts = EVERYTHING) -> Table:
    """The tier that each route counts against."""
    return Table(routes(only).routes)


def _names_of(handler: Any) -> set[str]:
    """The query parameters that a handler and what it depends on declare; `spec[name]` is one for any name."""
    signatures = [handler.parsed_fn_signature]
    signatures += [provide.parsed_fn_signature for provide in handler.resolve_dependencies().values()]
    names = {
        field.kwarg_definition.query or name if isinstance(field.kwarg_definition, ParameterKwarg) else name
        for signature in signatures for name, field in signature.parameters.items()
    }  # fmt: skip
    return names - {"request", "wanted"} | ({"spec["} if "wanted" in names else set())


@cache
def routes(only: Parts = EVERYTHING) -> Litestar:
    """Every route of some parts, with nothing behind it: made once in a process, because it takes a quarter of a
    second. Signing in and pictures are in each.
    """
    storefront = WholeRouter(
        "/api/v1", before_request=before_shopping, opt=limited("api"),
        route_handlers=[*BOTH, *(SHOPPING if "storefront" in only else [])],
    )  # fmt: skip
    staff = WholeRouter(
        "/api/v1/admin",
        before_request=before,
        opt=limited("admin"),
        route_handlers=all_guarded([
            *admin_products.ROUTES, *admin_orders.ROUTES, *admin_order_lists.ROUTES, *admin_reviews.ROUTES,
            *admin_search.ROUTES, *admin_webhooks.ROUTES, *admin_returns.ROUTES, *admin_audit.ROUTES,
            *admin_customers.ROUTES, *admin_staff.ROUTES, *admin_security.ROUTES, *admin_assortment.ROUTES,
            *admin_stock.ROUTES, *admin_promotions.ROUTES, *admin_operations.ROUTES, *admin_categories.ROUTES,
            *admin_attributes.ROUTES, *admin_imports.ROUTES, *admin_exports.ROUTES,
            *admin_variants.ROUTES, *admin_pictures.ROUTES,
        ]),
        guards=[staff_only],
        security=[{"bearer": []}],
    )  # fmt: skip
    return Litestar(
        route_handlers=[
            storefront,
            *([staff] if "admin" in only else []),
            *health.ROUTES,
            *scrape.ROUTES,
            openapi.document,
        ],
        exception_handlers=problems.HANDLERS,
        openapi_config=OpenAPIConfig(
            title="TFMShop",
            version=__version__,
            path="/-/openapi",
            use_handler_docstrings=True,
            components=Components(
                security_schemes={
                    "bearer": SecurityScheme(
                        type="http",
                        scheme="bearer",
                        bearer_format="JWT",
                        description="The access token of POST /auth/login.",
                    )
                }
            ),
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            openapi_router=Router("/-/openapi", route_handlers=[], guards=[_hidden], include_in_schema=False),
        ),
        logging_config=None,
        request_class=StrictRequest,
    )


def _hidden(*_: object) -> None:
    """The framework's own pages are not served: they load scripts from elsewhere."""
    raise NotFoundException
