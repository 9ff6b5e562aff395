"""Try the paths that work: they show that the simulator satisfies the library."""

from __future__ import annotations

from conformance import peer, scenarios
from conformance.scenarios import Observation, Scenario
from simulator.testing import running_simulator


def names(said: list[peer.Said]) -> list[str]:
    """Return the events in order, each run of one name once."""
    listed = [item.event for item in said if item.event not in ("done", "initialized")]
    return [name for i, name in enumerate(listed) if i == 0 or listed[i - 1] != name]


LONG_SYNC_S = 10.0
"""Progress is shown only while the page syncs: long enough for the library to attach in that time."""


def remote_auth(place: peer.Place) -> Observation:
    """Link, wait for the library's own first save, restart from the archive, log out from the phone."""
    with running_simulator(sync_s=LONG_SYNC_S) as sim:
        with peer.running(place, sim, "remote") as first:
            device = peer.link(first, sim)
            first.wait_for_own_save()
            fresh = names(first.said())
            scenarios.wait_for_disk(place)  # what the library saved after its minute may still be half
            first.save()
            first.kill()
        scenarios.wait_until("the server to see the end", lambda: not sim.admin.device(device).online, 60)
        with peer.running(place, sim, "remote") as second:
            second.wait_for("ready")
            restored = names(second.said())
            checked = second.do("verify")
            sim.admin.logout(device)
            reason = second.wait_for("disconnected").details["reason"]
            second.wait_for("qr")
            archived = place.archive().exists()
        seen = sim.admin.device(device)
        facts = {
            "fresh": fresh,
            "restored": restored,
            "checked": checked,
            "reason": reason,
            "archive_kept": archived,
            "rollbacks": seen.rollbacks,
            "two_browsers": seen.two_browsers,
            "logins": seen.logins,
        }
        return Observation("saved, restored, logged out", facts)


def local_auth(place: peer.Place) -> Observation:
    """Link, stop, start again on the same directory."""
    with running_simulator(sync_bytes=500_000, sync_s=LONG_SYNC_S) as sim:
        with peer.running(place, sim, "local") as first:
            device = peer.link(first, sim)
            first.do("destroy")
            code = first.exit_code(60)
        with peer.running(place, sim, "local") as second:
            second.wait_for("ready")
            restored = names(second.said())
            second.do("logout")
            kept = (place.directory / "data" / "session-it").exists()
        facts = {"exit": code, "restored": restored, "kept": kept, "linked": sim.admin.device(device).linked}
        return Observation("ready again from its directory", facts)


def no_auth(place: peer.Place) -> Observation:
    """Link, stop, start again: a new QR code."""
    with running_simulator(sync_bytes=100_000) as sim:
        with peer.running(place, sim, "no") as first:
            peer.link(first, sim)
            first.do("destroy")
        with peer.running(place, sim, "no") as second:
            second.wait_for("qr")
        return Observation("qr at each start", {"logins": [d.logins for d in sim.admin.devices()]})


def messages(place: peer.Place) -> Observation:
    """Receive and send a message, linked by a pairing code."""
    with running_simulator(sync_bytes=100_000) as sim:
        number = str(sim.admin.describe_phone("alice", number="4915200000001", pushname="Alice B")["number"])
        with peer.running(place, sim, "no", pairWithPhoneNumber={"phoneNumber": number}) as one:
            code = str(one.wait_for("code").details["code"])
            sim.admin.enter_code("alice", code)
            ready = one.wait_for("ready")
            sim.admin.write("alice", "4917000000002", "hello")
            received = one.wait_for("message")
            one.do("send", to="4917000000002@c.us", body="see https://example.org/x")
            one.wait_for("message_ack")
            seen = [(m["from"], m["to"], m["body"]) for m in sim.admin.messages("alice")]
            facts = {
                "code": code,
                "ready": dict(ready.details),
                "received": dict(received.details),
                "phone_saw": seen,
                "qr": one.said("qr"),
                "events": names(one.said()),
            }
            return Observation("a message both ways", facts)


def takeover(place: peer.Place) -> Observation:
    """Lose the connection to another browser and take it back."""
    options = {"takeoverOnConflict": True, "takeoverTimeoutMs": 100}
    with running_simulator(sync_bytes=100_000) as sim, peer.running(place, sim, "no", **options) as one:
        device = peer.link(one, sim)
        sim.admin.take_over(device)
        one.wait_for("change_state", number=3)
        sim.admin.wait_for("the page to be back", lambda devices: devices[0].online)
        states = [item.details["state"] for item in one.said("change_state")]
        return Observation("takes the connection back", {"states": states, "disconnected": one.said("disconnected")})


SCENARIOS = [
    Scenario("remote-auth", "RemoteAuth: link, save, restart, logout", "the same", remote_auth, long=True),
    Scenario("local-auth", "LocalAuth: link, restart, logout", "the same", local_auth),
    Scenario("no-auth", "NoAuth: link, restart", "the same", no_auth),
    Scenario("messages", "a pairing code; a message both ways", "the same", messages),
    Scenario("takeover", "conflict with takeover", "the same", takeover),
]
