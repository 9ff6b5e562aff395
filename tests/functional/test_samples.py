"""The samples are what a person applies first: each is accepted to the letter and gets its workers."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from functional.conftest import kubectl
from functional.world import Place, World
from whatsapp_session import names

Manifest = dict[str, Any]
SAMPLES = Path(__file__).parents[2] / "deploy" / "samples"
pytestmark = pytest.mark.usefixtures("operator")


def documents(sample: str, namespace: str) -> list[Manifest]:
    """Return what a sample holds, moved to a namespace that is there."""
    found = [item for item in yaml.safe_load_all((SAMPLES / sample).read_text()) if item]
    for item in found:
        item["metadata"]["namespace"] = namespace
    return [item for item in found if item["kind"] != "Namespace"]


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.glob("*.yaml")))
def test_a_sample_is_accepted_and_its_sessions_get_their_pods(
    sample: str, place: Place, world: World, tmp_path: Path
) -> None:
    made = documents(sample, place.name)
    # Those that say that they need the quick start build on its claim and its store.
    first = [] if sample == "quickstart.yaml" else documents("quickstart.yaml", place.name)
    file = tmp_path / "sample.yaml"
    file.write_text(yaml.safe_dump_all([*first, *made]))
    kubectl(world, "apply", "--validate=strict", "-f", str(file))
    sessions = [item["metadata"]["name"] for item in made if item["kind"] == names.SESSION_KIND]
    assert sessions, f"{sample} has no session"
    for session in sessions:
        place.wait_worker(session)
