"""Compare two states of the machine: what an observer shows of a step. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from whatsapp_session.conditions import SessionState
from whatsapp_worker.core import page_events
from whatsapp_worker.core.state import PairingCode, Problem, Saved, ShownCode, State


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The session entered a state; ``before`` is None for the first one that an observer sees."""

    before: SessionState | None
    after: SessionState
    account: page_events.Account | None


@dataclass(frozen=True, slots=True)
class TransitionUnlisted:
    """A transition happened that the table does not list."""

    before: SessionState | None
    after: SessionState | None


@dataclass(frozen=True, slots=True)
class ProblemReported:
    """Something went wrong; ``before`` is the problem that was shown until now."""

    problem: Problem
    before: Problem | None


@dataclass(frozen=True, slots=True)
class BrowserKnown:
    """The first browser of this run was started."""

    version: str
    sandbox: str


@dataclass(frozen=True, slots=True)
class WarningRaised:
    """The session exceeds a limit of the user."""

    warning: Problem


@dataclass(frozen=True, slots=True)
class QrShown:
    """There is a code that a phone can scan now."""

    qr: ShownCode


@dataclass(frozen=True, slots=True)
class PairingCodeShown:
    """There is a code that the user can type into the phone now."""

    pairing_code: PairingCode


@dataclass(frozen=True, slots=True)
class Progressed:
    """The first synchronisation of a link has come this far."""

    percent: int


@dataclass(frozen=True, slots=True)
class GenerationSaved:
    """The newest generation in the store is another one."""

    saved: Saved


Change = (
    StateChanged
    | TransitionUnlisted
    | ProblemReported
    | BrowserKnown
    | WarningRaised
    | QrShown
    | PairingCodeShown
    | Progressed
    | GenerationSaved
)


def changes(before: State | None, after: State) -> tuple[Change, ...]:
    """Return what is new in ``after``, in the order in which it is shown; with None everything is new."""
    known = before or State()
    return (*_of_the_session(before, after), *_of_the_link(known, after), *_of_its_problems(known, after))


def _of_the_session(before: State | None, after: State) -> Iterator[Change]:
    known = None if before is None else before.session_state
    if after.session_state is not known:
        yield StateChanged(known, after.session_state, after.login.account)
    if after.browser.sandbox and not (before and before.browser.sandbox):
        yield BrowserKnown(after.browser.version, after.browser.sandbox)


def _of_the_link(before: State, after: State) -> Iterator[Change]:
    if after.shown_qr and after.shown_qr != before.shown_qr:
        yield QrShown(after.shown_qr)
    if after.shown_pairing_code and after.shown_pairing_code != before.shown_pairing_code:
        yield PairingCodeShown(after.shown_pairing_code)
    syncing = after.session_state is SessionState.SYNCING
    if syncing and after.page.percent >= 0 and after.page.percent != before.page.percent:
        yield Progressed(after.page.percent)
    saved, known = after.saving.saved, before.saving.saved
    if saved and (known is None or saved.generation != known.generation):
        yield GenerationSaved(saved)


def _of_its_problems(before: State, after: State) -> Iterator[Change]:
    if after.unlisted.count != before.unlisted.count:
        yield TransitionUnlisted(after.unlisted.before, after.unlisted.after)
    if after.problem and after.problem != before.problem:
        yield ProblemReported(after.problem, before.problem)
    for warning in after.usage.warnings:
        if warning not in before.usage.warnings:
            yield WarningRaised(warning)
