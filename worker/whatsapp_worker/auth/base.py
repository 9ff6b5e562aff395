"""Define the hooks of a strategy around the browser's life."""

import asyncio
import dataclasses
import itertools
import pathlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from whatsapp_session.backoff import Backoff
from whatsapp_session.conditions import Reason
from whatsapp_worker import errors
from whatsapp_worker.browser.protocol import RunningBrowser
from whatsapp_worker.core import events, operator_notes, page_events, requests
from whatsapp_worker.core.state import Saved
from whatsapp_worker.repository import claim, records
from whatsapp_worker.system import steady_clock

_T = TypeVar("_T")
_STORE_RETRY = Backoff(1.0, 10.0)
_HANGS = 120.0
"""Seconds after which work that neither ends nor fails is told: a directory, or a store of one's own, may know no
time-out.
"""
_HANGING = (
    f"the store has not finished an operation within {_HANGS / 60:.0f} minutes; check the store and this machine's disk"
)


@dataclass(frozen=True, slots=True)
class Context:
    """What the client gives a strategy before the session starts."""

    owner: records.Owner
    url: str
    browser_version: Callable[[], str]
    """Ask the browser for its version; blocks."""
    take_over: bool = False
    """Take the session from another owner, without a request on the Lease: a person started this worker so."""
    relink: bool = False
    """Set the login aside at this start, likewise."""
    blind: bool = False
    """Neither API nor store answered, and `may_start_blind` said yes: go on with the profile that lies there."""
    failed: Callable[[Exception], None] = field(default=lambda error: None)
    """Say that something in the background went wrong for good."""
    lease_notes: Callable[[], operator_notes.Notes] = field(default=operator_notes.Notes)
    """What the operator has written onto the Lease."""
    report_problem: Callable[[Reason, str], None] = field(default=lambda reason, message: None)
    copy_followed: Callable[[str], None] = field(default=lambda late: None)
    """Say that something transient is being tried again."""
    claimed: Callable[[float], None] = field(default=lambda time: None)
    """Say that the session is ours since this time, 0 for a strategy without a log."""
    now: Callable[[], float] = field(default_factory=lambda: steady_clock.SteadyClock().now)
    """Tell the time in seconds since 1970; it never jumps."""

    @property
    def asked(self) -> claim.Asked:
        """What people and the operator ask of this start."""
        return claim.Asked(self.lease_notes, self.take_over, self.relink)


class Auth:
    """Base of all strategies; extend it to keep a login in your own way.

    The client calls ``setup`` once, then ``before_browser`` -> browser -> ``connected`` -> ``save`` ... -> ``close`` ->
    ``release``. Each hook may block on the network; each raises errors of ``whatsapp_worker.errors`` only.
    """

    saves = False
    """Whether ``save`` publishes anything."""
    keeps_profile = False
    """Whether the profile stays where the next start finds it, so that a link which is not saved is not lost."""
    is_witness = False
    """Whether `still_owner` asks somebody whom a new owner would have to ask too."""
    interval = 0.0
    """Seconds between two checks for a save."""

    def setup(self, context: Context) -> None:
        """Remember who we are."""
        self.context = context

    async def may_start_blind(self, owner: records.Owner) -> bool:
        """Tell whether this very pod's complete profile lies there and the store does not answer.

        Asked before ``setup``, when the API is silent: whoever else could have the session would need both.
        """
        return False

    @property
    def data_path(self) -> str:
        """Part of the owner's identity without Kubernetes."""
        return ""

    @property
    def profile(self) -> pathlib.Path:
        """The browser's user data directory."""
        raise NotImplementedError

    async def before_browser(self) -> events.ProfileReady:
        """Make the profile ready; the browser starts on it when this returns."""
        raise NotImplementedError

    async def before_launch(self) -> None:
        """Wait until the profile lies where it belongs; called before each start of the browser on it."""

    async def restore_previous(self) -> events.ProfileReady:
        """Put the next older profile in place after one came up without its login; the default starts empty."""
        raise NotImplementedError

    async def connected(self, account: page_events.Account, version: str) -> None:
        """Hear that the profile has proven to hold this account's login."""

    async def save(self, running: RunningBrowser, account: page_events.Account, trigger: str) -> Saved | None:
        """Save the running browser's profile; returns what holds it, None if there is nothing to save.

        Raises SnapshotFailed, StoreUnavailable or Superseded.
        """
        return None

    async def close(self, running: RunningBrowser, account: page_events.Account | None) -> Saved | None:
        """Close the browser and save what it leaves; ``account`` None means that nothing may be saved."""
        await running.close()
        return None

    async def retire_login(self, account_hash: str) -> None:
        """Set the login aside: the phone has removed the device."""

    async def relink(self, account_hash: str, requested: str) -> events.ProfileReady:
        """Set the login aside because a person asked, and put an empty profile in place; no browser runs."""
        await self.retire_login(account_hash)
        prepared = await self.restore_previous()
        return dataclasses.replace(prepared, problem=None, handled=((requests.RELINK, requested),))

    async def still_owner(self) -> bool:
        """Tell whether nobody has claimed the session after us; raises StoreUnavailable while nobody can say."""
        return True

    async def release(self) -> None:
        """Let anybody follow at once; called at a clean stop, when the browser has ended."""

    async def clean_up(self) -> None:
        """Remove what must not stay on this machine; called last, in any case."""

    async def retry_until_available(self, work: Callable[[], _T]) -> _T:
        """Run blocking work in a thread until store, Lease and disk allow it; the profile stays meanwhile."""
        for failures in itertools.count(1):
            late = asyncio.get_running_loop().call_later(
                _HANGS, self.context.report_problem, Reason.STORE_UNAVAILABLE, _HANGING
            )
            try:
                return await asyncio.to_thread(work)
            except errors.StoreUnavailable as error:
                self.context.report_problem(Reason.STORE_UNAVAILABLE, str(error))
            except errors.LeaseExpired as error:
                self.context.report_problem(Reason.LEASE_HELD, str(error))
            except errors.DiskFull as error:
                self.context.report_problem(Reason.RESTORE_FAILED, str(error))
            finally:
                late.cancel()
            await asyncio.sleep(_STORE_RETRY.after(failures))
        raise AssertionError("unreachable")

    async def wait_for_previous_owner(self, seconds: float) -> None:
        """Let the time pass after which the previous worker has surely stopped."""
        if seconds:
            message = f"waiting {seconds:.0f} s until the previous worker has stopped for certain"
            self.context.report_problem(Reason.LEASE_HELD, message)
            await asyncio.sleep(seconds)
