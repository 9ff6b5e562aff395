"""Say by how much the clock differs where the browser refuses the site's certificate because of its dates."""

import asyncio
from urllib.parse import urlsplit

from whatsapp_session import server_clock

_REFUSED = "ERR_CERT_DATE_INVALID"


async def explained(sentence: str, url: str, *, direct: bool) -> str:
    """Return a browser's words for a failed load, with the reason if it is the clock's or the certificate's.

    ``direct`` says whether the site is reached without a proxy: only then the worker asks it for its time.
    """
    if _REFUSED not in sentence:
        return sentence
    address = urlsplit(url)
    asked = server_clock.Server(address.hostname or "", address.port or 443, "the site's")
    why = await asyncio.to_thread(server_clock.explanation, asked) if direct else server_clock.UNKNOWN
    return f"{sentence}; {why}"
