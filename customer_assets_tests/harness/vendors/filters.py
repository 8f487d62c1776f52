"""How vendors are asked for a part of their customers, as their own documents write it; the presets are held to it.

A filter that is not written as its vendor wants it is refused with 400, not ignored: a preset that misspells one fails.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import ge, gt, le, lt
from typing import Any, Literal

ISO = r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"
EPOCH = r"(?P<at>\d{10})"
PLAIN = r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)"
COMPARE = {">=": ge, ">": gt, "<=": le, "<": lt}
JOINED = re.compile(r"\s*(?:\band\b)?\s*", re.IGNORECASE)


class BadFilterError(Exception):
    """A filter is not written as its vendor wants it."""


@dataclass(frozen=True)
class Filter:
    """One condition that a vendor knows.

    Attributes:
        parameter: Where it stands: a query parameter, a header in lower case, or a path into the body.
        of: Which instant of a customer it compares.
        compare: How: the customer's instant stands on the left.
        pattern: The condition's text; `at` is the instant.
        needs: Query parameters without which the vendor ignores or refuses it.
        is_part: Whether the text holds more than conditions.
    """

    parameter: str
    of: Literal["updated", "created"]
    compare: str
    pattern: str
    needs: Mapping[str, str] = field(default_factory=dict)
    is_part: bool = False


_MAGENTO = "searchCriteria[filterGroups][0][filters][0]"

FILTERS: dict[str, tuple[Filter, ...]] = {
    "activecampaign": (Filter("filters[updated_after]", "updated", ">", ISO),),
    "auth0": (
        Filter("q", "updated", ">=", rf"updated_at:\[{ISO} TO \*\]"),
        Filter("q", "created", ">=", rf"created_at:\[{ISO} TO \*\]"),
        Filter("q", "created", "<", rf"created_at:\[\* TO {ISO}\}}"),
    ),
    "bigcommerce": (
        Filter("date_modified:min", "updated", ">=", ISO),
        Filter("date_created:min", "created", ">=", ISO),
        Filter("date_created:max", "created", "<=", ISO),
    ),
    "brevo": (Filter("modifiedSince", "updated", ">", ISO),),
    "chargebee": (
        Filter("updated_at[after]", "updated", ">", EPOCH),
        Filter("created_at[after]", "created", ">", EPOCH),
        Filter("created_at[before]", "created", "<", EPOCH),
    ),
    "commercetools": (
        Filter("where", "updated", ">=", f'lastModifiedAt >= "{ISO}"'),
        Filter("where", "created", ">=", f'createdAt >= "{ISO}"'),
        Filter("where", "created", "<", f'createdAt < "{ISO}"'),
    ),
    "ecwid": (Filter("updatedFrom", "updated", ">=", EPOCH),),
    "freshdesk": (Filter("_updated_since", "updated", ">=", ISO),),
    "gitlab": (
        Filter("created_after", "created", ">=", ISO),
        Filter("created_before", "created", "<=", ISO),
    ),
    "helpscout": (Filter("modifiedSince", "updated", ">=", ISO),),
    "klaviyo": (Filter("filter", "updated", ">", rf"greater-than\(updated,{ISO}\)", needs={"sort": "updated"}),),
    "magento": (
        Filter(
            f"{_MAGENTO}[value]",
            "updated",
            ">=",
            PLAIN,
            needs={f"{_MAGENTO}[field]": "updated_at", f"{_MAGENTO}[conditionType]": "gteq"},
        ),
    ),
    "mailchimp": (Filter("since_last_changed", "updated", ">", ISO),),
    "okta": (Filter("search", "updated", ">=", f'lastUpdated ge "{ISO}"'),),
    "pipedrive": (Filter("updated_since", "updated", ">=", ISO),),
    "prestashop": (Filter("filter[date_upd]", "updated", ">", rf">\[{PLAIN}\]", needs={"date": "1"}),),
    "recharge": (
        Filter("updated_at_min", "updated", ">=", ISO),
        Filter("created_at_min", "created", ">=", ISO),
        Filter("created_at_max", "created", "<=", ISO),
    ),
    "recurly": (Filter("begin_time", "updated", ">=", ISO, needs={"sort": "updated_at"}),),
    "salesforce": (Filter("q", "updated", ">=", f"WHERE SystemModstamp >= {ISO}", is_part=True),),
    "shopify": (
        Filter("updated_at_min", "updated", ">=", ISO),
        Filter("created_at_min", "created", ">=", ISO),
        Filter("created_at_max", "created", "<=", ISO),
    ),
    "shopify_graphql": (Filter("variables.query", "updated", ">=", f"updated_at:>='{ISO}'"),),
    "stripe": (
        Filter("created[gte]", "created", ">=", EPOCH),
        Filter("created[lt]", "created", "<", EPOCH),
    ),
    "zoho": (Filter("if-modified-since", "updated", ">", ISO),),
}
"""By the preset's name. Zendesk's and HubSpot's lists have none; their other endpoints do."""


def matching(
    filters: Iterable[Filter], customers: Iterable[Any], query: Mapping[str, str], others: Mapping[str, Any]
) -> list[Any]:
    """Return the customers whom all filters of a request let through.

    Args:
        filters: What the vendor knows.
        customers: Everybody.
        query: The request's query.
        others: Its headers and body.

    Raises:
        BadFilterError: One is not written as the vendor wants it.
    """
    found, by_parameter = list(customers), dict[str, list[Filter]]()
    for each in filters:
        by_parameter.setdefault(each.parameter, []).append(each)
    for parameter, known in by_parameter.items():
        text = query.get(parameter) or _reach(others, parameter)
        if text is None:
            continue
        rest = str(text)
        for each in known:
            for condition in re.finditer(each.pattern, str(text)):
                if any(query.get(name) != value for name, value in each.needs.items()):
                    raise BadFilterError
                rest, at, compare = rest.replace(condition[0], ""), _read(condition["at"]), COMPARE[each.compare]
                found = [customer for customer in found if compare(getattr(customer, each.of), at)]
        if not (
            any(each.is_part for each in known) or JOINED.fullmatch(rest.replace(" and ", "").replace(" AND ", ""))
        ):
            raise BadFilterError
    return found


def _reach(content: Mapping[str, Any], path: str) -> Any:
    value: Any = content
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _read(text: str) -> datetime:
    if text.isdigit():
        return datetime.fromtimestamp(int(text), UTC)
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
