"""What the world is told: letters to buyers, webhooks to other programs."""

from tfmshop.commerce.news import endpoints
from tfmshop.commerce.news.errors import EndpointNotFound, NotDelivered, UnknownTopic
from tfmshop.commerce.news.jobs import schedule_all
from tfmshop.commerce.news.letters import Sender, erase, render, write
from tfmshop.commerce.news.model import TOPICS, Delivery, Endpoint
from tfmshop.commerce.news.remind import remind
from tfmshop.commerce.news.spread import spread

__all__ = [
    "TOPICS",
    "Delivery",
    "Endpoint",
    "EndpointNotFound",
    "NotDelivered",
    "Sender",
    "UnknownTopic",
    "endpoints",
    "erase",
    "remind",
    "render",
    "schedule_all",
    "spread",
    "write",
]
