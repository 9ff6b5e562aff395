"""The README's picture of `kubectl whatsapp qr` is there, and is drawn of what the command writes."""

import re
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import segno

from deploy.docs import qr_picture
from whatsapp_cli import main

ROOT = Path(__file__).parents[3]


def test_the_readme_shows_the_recorded_picture() -> None:
    shown = re.findall(r"!\[[^\]]+\]\((\S+)\)", (ROOT / "README.md").read_text())
    assert [ROOT / path for path in shown] == [qr_picture.PICTURE]
    said = "".join(ElementTree.fromstring(qr_picture.PICTURE.read_text()).itertext())
    for line in (" ".join(qr_picture.COMMAND), "Linked devices > Link a device", "support is linked"):
        assert line in said


def test_a_picture_has_the_modules_of_its_code() -> None:
    code = qr_picture.random_code()
    assert [part.count("=") for part in code.split(",")] == [0, 1, 1, 1, 0]
    picture = ElementTree.fromstring(qr_picture.svg(main.draw(code).rstrip("\n")))
    path = next(each.get("d") for each in picture if each.tag.endswith("path"))
    light = {
        (int(x) // 8 - 2 + step, int(y) // 8 - 2)
        for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)", path or "")
        for step in range(int(width) // 8)
    }
    matrix = tuple(segno.make(code, error="l", micro=False).matrix_iter(border=2))
    size = len(matrix)
    assert light & set(product(range(size), range(size))) == {
        (x, y) for x, y in product(range(size), range(size)) if not matrix[y][x]
    }


def test_a_screen_is_what_follows_the_last_clearing() -> None:
    assert qr_picture.screen("\x1b[2J\x1b[Hfirst\r\n\x1b[2J\x1b[Hsecond\r\nlinked\r\n") == "second\nlinked"
