"""Ways of paging: one class per strategy, chosen by `type`."""

from typing import Annotated

from pydantic import Field

from customer_assets.api.paging.base import Paging
from customer_assets.api.paging.chained import Cursor, LastId, LinkHeader, NextUrl
from customer_assets.api.paging.numbered import Offset, PageNumber, Single

Pages = Annotated[
    PageNumber | Offset | Cursor | LastId | NextUrl | LinkHeader | Single,
    Field(discriminator="type"),
]

__all__ = ["Cursor", "LastId", "LinkHeader", "NextUrl", "Offset", "PageNumber", "Pages", "Paging", "Single"]
