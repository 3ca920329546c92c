import pytest

from digitrec.system.wording import typed


@pytest.mark.parametrize(
    ("started", "script", "expected"),
    [
        ("/venv/bin/digitrec-tune", "", "digitrec-train"),
        ("digitrec/train.py", "scripts/train", "scripts/train"),
        ("digitrec/train.py", "", "python -m digitrec.train"),
    ],
)
def test_the_next_step_begins_as_the_command_was_typed(
    started: str, script: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [started])
    monkeypatch.setenv("DIGITREC_SCRIPT", script)
    assert typed("train") == expected
