"""When the operator is alive, and when it is ready."""

from dataclasses import dataclass, field

from whatsapp_operator import health


@dataclass
class Life:
    """An operator whose time, queues and watches are a test's."""

    now: float = 1000.0
    beat: float = 1000.0
    dead: list[str] = field(default_factory=list)
    ready: bool = False

    def __post_init__(self) -> None:
        self.alive = health.Alive(lambda: self.now)
        self.alive.works(beats=lambda: self.beat, dead=lambda: self.dead, listed=lambda: self.ready)

    def listed(self) -> "Life":
        """End the first listing."""
        self.ready = True
        return self


def test_an_operator_that_lists_is_alive_and_not_ready() -> None:
    life = Life()
    assert life.alive.wrong() is None
    assert life.alive.not_ready() == "the operator has not listed all sessions yet"
    life.listed()
    assert life.alive.not_ready() is None


def test_an_operator_that_stands_by_is_alive_and_ready_once_it_could_work() -> None:
    alive = health.Alive(lambda: 0.0)
    assert alive.wrong() is None
    assert alive.not_ready() == "the operator has not listed all sessions yet"
    alive.stands_by()
    assert (alive.wrong(), alive.not_ready()) == (None, None)
    alive.works(beats=lambda: 0.0, dead=lambda: (), listed=lambda: False)
    assert alive.not_ready() == "the operator has not listed all sessions yet"


def test_a_queue_whose_workers_hang_is_dead() -> None:
    life = Life().listed()
    life.now += 59
    assert life.alive.wrong() is None
    life.now += 2
    assert life.alive.wrong() == life.alive.not_ready() == "no queue has reconciled anything for 61 s"


def test_a_queue_that_has_not_begun_has_its_time_from_the_start() -> None:
    assert Life(beat=0.0).alive.wrong() is None


def test_an_operator_without_one_of_its_watches_is_dead() -> None:
    life = Life().listed()
    life.dead += ["sessionstores", "pods"]
    assert life.alive.wrong() == life.alive.not_ready() == "the watch of sessionstores, pods has ended"


def test_an_api_server_that_is_away_makes_it_unready_but_not_dead() -> None:
    life = Life().listed()
    life.now += 61
    life.beat = life.now
    assert life.alive.wrong() is None
    assert life.alive.not_ready() == "the API server has not answered for 61 s"
    life.alive.answered()
    assert life.alive.not_ready() is None
