"""What ``doctor`` says of an installation and a record, and what it repairs."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError

import pytest
from tests.cli.test_output import assert_golden

from thalweg.cli import doctor
from thalweg.engine import devices


@pytest.fixture(autouse=True)
def _own_cache(thalweg, monkeypatch):
    """No programs but those of the test."""
    monkeypatch.setenv("THALWEG_CACHE", "cache")


def plainly(text: str) -> str:
    """What does not depend on the machine."""
    text = re.sub(r"(?m)^(..(python|thalweg|jax|jaxlib|numpy) +)\S+$", r"\1VERSION", text)
    text = re.sub(r"(?ms)^(..devices +).*?(?=\n..programs)", r"\1DEVICES", text)
    text = re.sub(r"(?ms)^(..extras +).*?(?=\n..devices)", r"\1EXTRAS", text)
    text = re.sub(r"[0-9a-f]{16,32}", "ID", text)
    return re.sub(r"damaged-\w+", "damaged-TIME", text)


def checks(ran) -> dict[str, bool]:
    return {check["name"]: check["well"] for check in ran.json["checks"]}


def test_all_is_well(thalweg, project):
    ran = thalweg("doctor", "--project", "project")
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 80
    assert_golden("doctor", plainly(ran.out))
    assert all(checks(thalweg("doctor", "--project", "project", "--json")).values())


def test_no_record_is_well(thalweg):
    ran = thalweg("doctor", "--json")
    assert ran.code == 0
    assert ran.json["checks"][-1]["found"] == "none yet in .thalweg"


def test_a_damaged_record(thalweg, project):
    undisturbed = thalweg("compare", "spec.toml", "--project", "project")
    file = max((project / "arrays").iterdir(), key=lambda path: path.stat().st_size)
    file.write_bytes(file.read_bytes()[:50])
    ran = thalweg("doctor", "--project", "project")
    assert ran.code == 1
    assert_golden("doctor-damaged", plainly(ran.out))
    ran = thalweg("doctor", "--project", "project", "--json")
    assert ran.code == 1
    assert [name for name, well in checks(ran).items() if not well] == ["arrays"]

    ran = thalweg("doctor", "--project", "project", "--repair")
    assert ran.code == 0
    assert_golden("doctor-repaired", plainly(ran.out))
    [kept] = project.glob("damaged-*")
    assert (kept / "arrays" / file.name).stat().st_size == 50
    assert not file.exists()
    assert thalweg("doctor", "--project", "project").code == 0
    assert "already" in thalweg("run", "spec.toml", "--project", "project").out
    assert thalweg("compare", "spec.toml", "--project", "project") == undisturbed


@pytest.mark.parametrize("harm", [b"", b"These are my notes. " * 500], ids=["empty", "notes"])
def test_a_database_that_is_none(thalweg, project, harm):
    (project / "record.sqlite").write_bytes(harm)
    ran = thalweg("doctor", "--project", "project", "--json")
    assert ran.code == 1
    assert checks(ran)["record"] is False
    ran = thalweg("doctor", "--project", "project", "--repair", "--json")
    assert ran.code == 0
    [kept] = project.glob("damaged-*")
    assert ran.json["kept"] == f"project/{kept.name}"
    assert (kept / "record.sqlite").read_bytes() == harm
    assert len(list((kept / "arrays").iterdir())) > 1
    assert thalweg("run", "spec.toml", "--project", "project").code == 0


def test_a_damaged_program(thalweg, tmp_path):
    folder = tmp_path / "cache" / "thalweg" / "programs"
    folder.mkdir(parents=True)
    torn = folder / "jit_x-cache"
    torn.write_bytes(b"x\x9c\x03")  # the beginning of something compressed
    ran = thalweg("doctor", "--json")
    assert (ran.code, checks(ran)["programs"]) == (1, False)
    assert thalweg("doctor", "--repair").code == 0
    assert not torn.exists()
    assert thalweg("doctor").code == 0


def test_devices_that_are_not_there(thalweg, monkeypatch):
    def fail() -> None:
        raise RuntimeError("Unable to initialize\nbackend")

    monkeypatch.setattr(devices, "describe", fail)
    ran = thalweg("doctor")
    assert ran.code == 1
    assert "JAX finds none: Unable to initialize backend" in ran.out
    assert "look at JAX_PLATFORMS" in ran.out


def test_a_library_that_is_missing(thalweg, monkeypatch):
    def version(name: str) -> str:
        if name == "jaxlib":
            raise PackageNotFoundError
        return "1.0"

    monkeypatch.setattr(doctor, "version", version)
    ran = thalweg("doctor", "--json")
    assert ran.code == 1
    assert [name for name, well in checks(ran).items() if not well] == ["jaxlib"]
    assert "devices" not in checks(ran)


def test_programs_that_cannot_be_kept(thalweg, tmp_path):
    (tmp_path / "cache").touch()
    ran = thalweg("doctor", "--json")
    [programs] = [check for check in ran.json["checks"] if check["name"] == "programs"]
    assert (ran.code, programs["well"]) == (1, False)
    assert "cannot be written to" in programs["found"]
    assert "THALWEG_CACHE" in programs["advice"]
