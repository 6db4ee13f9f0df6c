"""What people are told to install is this project, and never a distribution of somebody else's."""

from settings.extras import install_hint
from tests.conftest import ROOT
from tests.project_files import project_files

# The name belongs to somebody else on the public index. Written in two parts, so that this file is not found itself.
WRONG = ("pip install " + "darkroom", "darkroom" + "[")
READ = {".py", ".md", ".toml", ".yml", ".html", ".js", ".sh"}


def test_the_hint_names_the_folder_of_the_project() -> None:
    assert install_hint("gpu", "stack") == "`pip install '.[gpu,stack]'` in Darkroom's folder"


def test_no_source_and_no_page_names_a_distribution_of_somebody_else() -> None:
    texts = [file for file in project_files() if file.suffix in READ or file.name in ("Makefile", "Dockerfile")]
    assert {ROOT / "README.md", ROOT / "settings" / "extras.py", ROOT / "Makefile"} <= set(texts)
    assert [str(file) for file in texts if any(words in file.read_text("utf-8") for words in WRONG)] == []
