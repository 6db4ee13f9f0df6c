"""What people are told to install is this project, and never a distribution of somebody else's."""

from pathlib import Path

from settings.extras import install_hint
from tests.conftest import ROOT

# The name belongs to somebody else on the public index. Written in two parts, so that this file is not found itself.
WRONG = ("pip install " + "darkroom", "darkroom" + "[")
READ = {".py", ".md", ".toml", ".yml", ".html", ".js", ".sh", ""}
NOT_OURS = {".git", ".venv", "build", "dist", "data", "scratch", "__pycache__"}


def sources() -> list[Path]:
    """Every text of the project."""
    return [
        file
        for file in ROOT.rglob("*")
        if file.suffix in READ and file.is_file() and not NOT_OURS & {*file.relative_to(ROOT).parts}
        if not any(part.startswith(".") and part.endswith("_cache") for part in file.parts)
    ]


def test_the_hint_names_the_folder_of_the_project() -> None:
    assert install_hint("gpu", "stack") == "`pip install '.[gpu,stack]'` in Darkroom's folder"


def test_no_source_and_no_page_names_a_distribution_of_somebody_else() -> None:
    found = sources()
    assert {ROOT / "README.md", ROOT / "settings" / "extras.py", ROOT / "Makefile"} <= set(found)
    assert [str(file) for file in found if any(words in file.read_text("utf-8") for words in WRONG)] == []
