"""The picture of the README is recorded from the real command at a real API server."""

from deploy.docs import qr_picture
from functional.world import World
from whatsapp_cli import main


def test_the_picture_shows_the_code_and_then_the_link(world: World) -> None:
    code = qr_picture.random_code()
    shown = qr_picture.record(world.plane, code)
    assert main.draw(code).rstrip("\n") in shown
    assert shown.endswith("support is linked (account 49***90@c.us)")
