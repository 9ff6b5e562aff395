"""The phone number to link: digits, or a sentence that repeats nothing of what the Secret holds."""

import pathlib

import pytest

from whatsapp_worker import client, errors
from whatsapp_worker.cli import run
from whatsapp_worker.core import phone_numbers


@pytest.mark.parametrize(
    ("text", "digits"),
    [("15550100", "15550100"), ("+4915112345678", "4915112345678"), ("12345", "12345"), ("1" * 20, "1" * 20), ("", "")],
)
def test_a_phone_number_is_5_to_20_digits(text: str, digits: str) -> None:
    assert phone_numbers.parse(text) == digits


@pytest.mark.parametrize(
    "text",
    [
        *("hunter2-not-a-phone", "1234", "1" * 21, "++15550100", "+4", "1555 0100", "15550100\n", "15550100;hunter2"),
        *("\u0661\u0662\u0663\u0664\u0665\u0666", "15550100hunter2", "http://hunter2/15550100"),
    ],
)
async def test_what_is_no_phone_number_is_refused_at_the_start_without_a_word_of_it(text: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="must be 5 to 20 digits") as refused:
        client.Client(options=client.Options(phone_number=text)).start()
    assert refused.value.__cause__ is None
    assert "hunter" not in str(refused.value)


@pytest.mark.parametrize("content", [b"hunter2-not-a-phone\n", b"\xffhunter2"], ids=["a password", "no text"])
@pytest.mark.parametrize("variable", ["WHATSAPP_PHONE_NUMBER_FILE", "WHATSAPP_PROXY_FILE"])
def test_a_secret_of_another_kind_is_one_sentence_and_code_2(
    variable: str,
    content: bytes,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    secret = tmp_path / "value"
    secret.write_bytes(content)
    monkeypatch.setenv(variable, str(secret))
    assert run.main(["run"]) == 2
    captured = capsys.readouterr()
    assert (captured.err.count("\n"), "hunter" in captured.err, "0xff" in captured.err) == (1, False, False)
