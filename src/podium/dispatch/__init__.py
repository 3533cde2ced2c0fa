"""From a plan to set points: what backs an offer, what happens when it is called, and who takes over."""

from podium.dispatch.activation import Calls, Delivery, activate
from podium.dispatch.areas import Areas, areas_of
from podium.dispatch.backing import greatest_backing, safe_backing
from podium.dispatch.fleet import Backing, Fleet
from podium.dispatch.reallocation import Reallocation, Reallocator
from podium.dispatch.takeover import Order, by_cost, by_priority, in_proportion, order_of
from podium.dispatch.trial import Trial, try_activations

__all__ = [
    "Areas",
    "Backing",
    "Calls",
    "Delivery",
    "Fleet",
    "Order",
    "Reallocation",
    "Reallocator",
    "Trial",
    "activate",
    "areas_of",
    "by_cost",
    "by_priority",
    "greatest_backing",
    "in_proportion",
    "order_of",
    "safe_backing",
    "try_activations",
]
