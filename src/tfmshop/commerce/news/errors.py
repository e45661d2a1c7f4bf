"""What can go wrong with telling the world."""

from tfmshop.platform.errors import Kind, ShopError


class EndpointNotFound(ShopError, kind=Kind.NOT_FOUND, code="webhook_not_found", says="There is no such webhook."):
    """No endpoint has that id."""


class UnknownTopic(
    ShopError, kind=Kind.INVALID, code="topic_unknown", says="There is no news called {topic}: there are {topics}."
):
    """An endpoint asked for a topic that the shop never tells."""

    topic: str
    topics: str


class NotDelivered(ShopError, kind=Kind.UNAVAILABLE, code="webhook_not_delivered", says="Not delivered: {why}."):
    """A receiver did not take a message; it is sent again later."""

    why: str
