"""Draw the table of the worker's states into the architecture page, as a diagram that GitHub renders."""

import pathlib
from collections.abc import Iterator

from whatsapp_session.conditions import SessionState
from whatsapp_worker.core.transitions import ALLOWED, ENDED

PAGE = pathlib.Path(__file__).with_name("architecture.md")
BEGIN, END = "<!-- begin: states -->\n", "<!-- end: states -->\n"
LINKED = (SessionState.SYNCING, SessionState.CONNECTED, SessionState.RECONNECTING, SessionState.CONFLICT)
BROWSER = (SessionState.LAUNCHING, SessionState.AWAITING_LINK, SessionState.LOGGED_OUT, *LINKED)
RUNNING = tuple(state for state in SessionState if state not in ENDED)
BOXES = {"Running": RUNNING, "Browser": BROWSER, "Linked": LINKED}
"""Boxes of the diagram, each within the one before it."""
TITLES = {"Running": "the worker runs", "Browser": "with a browser", "Linked": "with a login"}


def arrows() -> Iterator[tuple[str, str]]:
    """Yield the table's pairs; what holds for each state in a box is one arrow from or to the box."""
    pairs = {(before, after) for before, afters in ALLOWED.items() for after in afters}
    for name, box in BOXES.items():
        for state in SessionState:
            if state in box:  # no arrow can lead from a box to its own content
                continue
            for each, arrow in (
                ({(inside, state) for inside in box}, (name, str(state))),
                ({(state, inside) for inside in box}, (str(state), name)),
            ):
                if each <= pairs:
                    pairs -= each
                    yield arrow
    yield from sorted((str(before), str(after)) for before, after in pairs)


def diagram() -> str:
    """Return the diagram."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {SessionState.CLAIMING}"]
    indent = "    "
    for number, (name, box) in enumerate(BOXES.items(), 1):
        inner = list(BOXES.values())[number] if number < len(BOXES) else ()
        lines.append(f'{indent}state "{TITLES[name]}" as {name} {{')
        indent += "    "
        lines += [f"{indent}{state}" for state in box if state not in inner]
    while len(indent) > 4:
        indent = indent[:-4]
        lines.append(f"{indent}}}")
    lines += [f"    {before} --> {after}" for before, after in arrows()]
    lines += [f"    {state} --> [*]" for state in ENDED]
    return "\n".join([*lines, "```"]) + "\n"


def drawn(page: str) -> str:
    """Return the page with the diagram of today's table."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{diagram()}{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
