"""Parse the phone number to link, once, at the start. Pure; nothing that is said of it repeats any part of it."""

import re

from whatsapp_worker import errors

_NUMBER = re.compile("[+]?([0-9]{5,20})")
_WRONG = (
    "the phone number to link must be 5 to 20 digits with the country code and nothing else except a leading '+';"
    " correct it (in the Secret of spec.linking.phoneNumberSecretRef) and start the session again"
)


def parse(text: str) -> str:
    """Return the digits, "" for ""; raises ConfigurationError: what is no number is never handed to the page."""
    if not text:
        return ""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise errors.ConfigurationError(_WRONG)
    return found[1]
