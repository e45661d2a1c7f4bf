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


class TooManyEndpoints(
    ShopError, kind=Kind.CONFLICT, code="too_many_webhooks", says="There are {most} webhooks: take one out first."
):
    """No more programs can be told."""

    most: int


class NotDelivered(ShopError, kind=Kind.UNAVAILABLE, code="webhook_not_delivered", says="Not delivered: {why}."):
    """A receiver did not take a message; it is sent again later."""

    why: str


class NewsNotKnown(
    ShopError, kind=Kind.UNAVAILABLE, code="news_not_known",
    says="This release knows no {topic}: it waits for a job runner that does.",
):  # fmt: skip
    """A newer release told of something while an older job runner works."""

    topic: str
