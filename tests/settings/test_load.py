"""Settings: who overrules whom, and what a wrong one says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from greenai.core.errors import ConfigError
from greenai.settings import load_settings
from greenai.settings.edit import set_value, shown_value
from greenai.settings.load import language_of
from greenai.settings.model import BY_NAME, SETTINGS
from greenai.settings.paths import data_folder, user_config

LAYERS = ("user", "pyproject", "project", "environment", "argument")


def say(layer: str, home: Path, environ: dict[str, str]) -> None:
    texts = {
        "user": (user_config(environ), 'project = "user"\n'),
        "pyproject": (home / "pyproject.toml", '[project]\nname = "x"\n[tool.greenai]\nproject = "pyproject"\n'),
        "project": (home / "greenai.toml", 'project = "project"\n'),
    }
    if layer in texts:
        path, text = texts[layer]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if layer == "environment":
        environ["GREENAI_PROJECT"] = "environment"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "h")}


@pytest.mark.parametrize("strongest", range(len(LAYERS)))
def test_the_stronger_source_wins_and_is_named(tmp_path: Path, environ: dict[str, str], strongest: int) -> None:
    for layer in LAYERS[: strongest + 1]:
        say(layer, tmp_path, environ)
    winner = LAYERS[strongest]
    overrides = {"project": "argument"} if winner == "argument" else {"project": None}
    settings = load_settings(overrides, environ=environ, folder=tmp_path)
    assert settings.project == winner
    assert (
        settings.origins["project"]
        == {
            "user": str(user_config(environ)),
            "pyproject": str(tmp_path / "pyproject.toml"),
            "project": str(tmp_path / "greenai.toml"),
            "environment": "GREENAI_PROJECT",
            "argument": "argument",
        }[winner]
    )


def test_sources_are_merged_setting_by_setting(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "greenai.toml").write_text('zone = "de"\npue = 1.4\n')
    environ["GREENAI_PUE"] = "1.2"
    settings = load_settings({"task": "t"}, environ=environ, folder=tmp_path)
    assert (settings.zone, settings.pue, settings.task, settings.project) == ("DE", 1.2, "t", None)
    assert "project" not in settings.origins


def test_defaults(tmp_path: Path, environ: dict[str, str]) -> None:
    settings = load_settings(environ=environ, folder=tmp_path)
    data = data_folder(environ)
    assert (settings.db, settings.spool) == (f"sqlite:///{data / 'greenai.db'}", data / "spool")
    assert (settings.language, settings.interval_s, settings.scope, settings.pue) == ("en", 1.0, "auto", None)
    assert settings.origins == {}


def test_an_empty_variable_says_nothing(tmp_path: Path, environ: dict[str, str]) -> None:
    assert load_settings(environ={**environ, "GREENAI_ZONE": ""}, folder=tmp_path).zone is None


WRONG: list[tuple[str, Any, str]] = [
    ("interval_s", "fast", "0.01 to 3600"),
    ("interval_s", 0, "0.01 to 3600"),
    ("interval_s", True, "0.01 to 3600"),
    ("interval_s", 10**400, "0.01 to 3600"),
    ("pue", 0.9, "1 to 5"),
    ("pue", "nan", "1 to 5"),
    ("pue", "inf", "1 to 5"),
    ("electricity_price_per_kwh", -1, "0 to 10"),
    ("cpu_tdp_w", [1], "0.1 to 10000"),
    ("approach", "foo", "ai, classical"),
    ("phase", "sleeping", "training"),
    ("scope", "galaxy", "auto, machine"),
    ("ingest", "never", "background, later"),
    ("language", "fr", "de, en"),
    ("zone", "D E!", "ISO 3166"),
    ("zone", 3, "ISO 3166"),
    ("project", " ", "one printable line"),
    ("unit", 3, "one printable line"),
    ("tags", "x", "key=value"),
    ("tags", "=x", "key=value"),
    ("tags", {"a": [1]}, "key=value"),
    ("tags", 7, "key=value"),
    ("spool", 7, "not empty"),
    ("db", "sqlite://", "in memory only"),
    ("db", "sqlite:///:memory:", "in memory only"),
    ("zone", "Germany", "ISO 3166"),
    ("currency", "Euro", "currency code"),
    ("spool", "~nobody-by-that-name/spool", "folder"),
]


@pytest.mark.parametrize(("key", "value", "expected"), WRONG)
def test_a_wrong_value_says_where_what_and_what_would_fit(
    tmp_path: Path, environ: dict[str, str], key: str, value: Any, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({key: value}, environ=environ, folder=tmp_path)
    said = caught.value.message.en
    assert said.startswith("argument: ")
    assert f'"{key}"' in said
    assert repr(value) in said
    assert expected in said
    assert f"„{key}“" in caught.value.message.de


def test_a_wrong_variable_is_named(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"GREENAI_PUE.*'much'"):
        load_settings(environ={**environ, "GREENAI_PUE": "much"}, folder=tmp_path)


@pytest.mark.parametrize("name", ["greenai.toml", "pyproject.toml"])
def test_a_wrong_file_is_named(tmp_path: Path, environ: dict[str, str], name: str) -> None:
    head = "[tool.greenai]\n" if name == "pyproject.toml" else ""
    file = tmp_path / name
    for text, match in (
        ("pue = 'much'\n", "'much'"),
        ("pu = 1\n", '"pu".*Did you mean "pue"'),
        ("pue = = 1\n", "not valid TOML"),
        ("[x]\n[x]\n", "not valid TOML"),
    ):
        file.write_text(head + text)
        with pytest.raises(ConfigError, match=match) as caught:
            load_settings(environ=environ, folder=tmp_path)
        assert str(file) in str(caught.value)


def test_a_file_in_another_encoding_is_not_passed_over(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "greenai.toml").write_bytes('project = "München"\n'.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"greenai\.toml"):
        load_settings(environ=environ, folder=tmp_path)


@pytest.mark.parametrize("what", ["zeros", "pipe", "folder", "long"])
def test_what_is_no_settings_file_is_not_read(tmp_path: Path, environ: dict[str, str], what: str) -> None:
    path = user_config(environ)
    path.parent.mkdir(parents=True)
    if what == "zeros":
        path.symlink_to("/dev/zero")
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, (1 << 20) + 1)
    for read in (
        lambda: load_settings(environ=environ, folder=tmp_path),
        lambda: set_value("zone", "DE", environ),
    ):
        with pytest.raises(ConfigError, match=str(path)) as error:
            read()
        assert str(path) in str(error.value.remedy)


def test_the_null_device_says_nothing(tmp_path: Path, environ: dict[str, str]) -> None:
    environ["GREENAI_CONFIG"] = "/dev/null"
    assert load_settings(environ=environ, folder=tmp_path).project is None


@pytest.mark.parametrize("text", ["[[tool.greenai]]\npue = 1.2\n", "[tool]\nx = '[tool.greenai]'\ngreenai = 3\n"])
def test_a_section_that_is_no_table_is_said(tmp_path: Path, environ: dict[str, str], text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"pyproject\.toml"):
        load_settings(environ=environ, folder=tmp_path)


@pytest.mark.parametrize("text", ["this is = = no TOML", "[tool.other]\nx = 1\n", "[tool.greenai-x]\npue = 9\n"])
def test_other_peoples_pyproject_is_none_of_our_business(
    tmp_path: Path, environ: dict[str, str], text: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert load_settings(environ=environ, folder=tmp_path).pue is None


def test_an_unknown_variable_is_an_error_with_the_nearest_name(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"GREENAI_PROJCT.*GREENAI_PROJECT"):
        load_settings(environ={**environ, "GREENAI_PROJCT": "x"}, folder=tmp_path)
    with pytest.raises(ConfigError, match=r"GREENAI_XYZZY.*greenai config show"):
        load_settings(environ={**environ, "GREENAI_XYZZY": "x"}, folder=tmp_path)


def test_a_named_file_must_exist(tmp_path: Path, environ: dict[str, str]) -> None:
    environ["GREENAI_CONFIG"] = str(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load_settings(environ=environ, folder=tmp_path)
    (tmp_path / "none.toml").write_text("pue = 1.3\n")
    assert load_settings(environ=environ, folder=tmp_path).pue == 1.3


SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{SECRET}@host/db",
        f"postgresql+psycopg://user@server:{SECRET}@host:5432/db",
        f"postgresql://user:a/{SECRET}@host/db",
        f"postgresql://:{SECRET}@host/db",
        f"postgresql://host/db?user=x&password={SECRET}&sslmode=require",
        f"postgresql://host/db?PASSWORD={SECRET}",
    ],
)
def test_passwords_are_not_shown(tmp_path: Path, environ: dict[str, str], url: str) -> None:
    settings = load_settings({"db": url}, environ=environ, folder=tmp_path)
    assert settings.db == url
    shown = shown_value(settings, "db")
    assert SECRET not in shown
    assert "***" in shown
    assert "host" in shown


def test_a_url_without_a_password_is_shown_whole(tmp_path: Path, environ: dict[str, str]) -> None:
    for url in ("postgresql://user@host:5432/db", "postgresql://host/db?sslmode=require", "sqlite:////a/b@c.db"):
        assert shown_value(load_settings({"db": url}, environ=environ, folder=tmp_path), "db") == url


def test_a_wrong_url_does_not_show_its_password(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(environ={**environ, "GREENAI_DB": f"mysql://u:{SECRET}@h/d"}, folder=tmp_path)
    assert SECRET not in str(caught.value)
    assert "GREENAI_DB" in str(caught.value)


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_a_relative_database_is_pinned_to_where_it_was_said(
    environ: dict[str, str], scheme: str, tmp_path: Path
) -> None:
    settings = load_settings({"db": f"{scheme}:///runs.db"}, environ=environ, folder=tmp_path)
    assert settings.db == f"{scheme}:///{Path.cwd() / 'runs.db'}"


@pytest.mark.parametrize("url", ["sqlite:////abs/x.db", "postgresql://h/d"])
def test_other_urls_stay_as_they_are(tmp_path: Path, environ: dict[str, str], url: str) -> None:
    assert load_settings({"db": url}, environ=environ, folder=tmp_path).db == url


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANG": "de_DE.UTF-8"}, "de"),
        ({"LANG": "de_AT"}, "de"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "fr_FR"}, "en"),
        ({}, "en"),
        ({"LANG": "de_DE", "LC_ALL": "C"}, "en"),
        ({"LANG": "C", "LC_MESSAGES": "de_CH"}, "de"),
        ({"LANG": "de_DE", "LC_ALL": ""}, "de"),
    ],
)
def test_the_locale_chooses_the_language(environ: dict[str, str], language: str) -> None:
    assert language_of(environ) == language


def test_a_setting_overrules_the_locale(tmp_path: Path, environ: dict[str, str]) -> None:
    assert (
        load_settings(environ={**environ, "LANG": "de_DE", "GREENAI_LANGUAGE": "EN"}, folder=tmp_path).language
        == "en"
    )


def test_every_setting_is_explained_in_both_languages() -> None:
    for setting in SETTINGS:
        assert setting.help.de
        assert setting.help.en
        assert setting.help.de != setting.help.en or setting.name == "scope"
    assert len(BY_NAME) == len(SETTINGS)


def test_xdg_folders_must_be_absolute(tmp_path: Path) -> None:
    assert data_folder({"XDG_DATA_HOME": "relative", "HOME": "/h"}) == Path("/h/.local/share/greenai")
    assert data_folder({"XDG_DATA_HOME": "/d", "HOME": "/h"}) == Path("/d/greenai")
    assert user_config({"XDG_CONFIG_HOME": "/c", "HOME": "/h"}) == Path("/c/greenai/config.toml")


_NOBODY = """
import os
os.environ.clear()
os.environ["GREENAI_SPOOL"] = "/tmp"
import pwd
def unknown(_id): raise KeyError("no such user")
pwd.getpwuid = unknown
from greenai.settings import load_settings
print(load_settings().spool)
"""


def test_a_container_without_home_and_user_works() -> None:
    done = subprocess.run([sys.executable, "-c", _NOBODY], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("/tmp\n", "")


def test_a_working_directory_that_is_gone_is_no_error(tmp_path: Path, environ: dict[str, str]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    try:
        assert load_settings(environ=environ).pue is None
    finally:
        os.chdir(tmp_path)


class TestSetValue:
    @staticmethod
    def after(environ: dict[str, str], before: str, key: str, value: str | None) -> str:
        path = user_config(environ)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(before, encoding="utf-8")
        assert set_value(key, value, environ) == path
        return path.read_text(encoding="utf-8")

    def test_comments_and_order_stay(self, environ: dict[str, str], tmp_path: Path) -> None:
        before = '# site\nzone = "DE"\n\n# measured\npue = 1.2\nproject = "x"\n'
        text = self.after(environ, before, "pue", "1.5")
        assert text == before.replace("1.2", "1.5")
        assert load_settings(environ=environ, folder=tmp_path).pue == 1.5

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("currency", "CHF"),
            ("project", "Grün & 'so' #1 = [x]"),
            ("db", "sqlite:////abs/bell\x07del\x7f.db"),
            ("unit", "Dokument"),
            ("pue", "1.25"),
            ("spool", "/data/mein spool"),
            ("language", "de"),
            ("db", f"postgresql://u:{SECRET}@h/d"),
        ],
    )
    def test_a_value_comes_back(self, environ: dict[str, str], tmp_path: Path, key: str, value: str) -> None:
        set_value(key, value, environ)
        said = getattr(load_settings(environ=environ, folder=tmp_path), key)
        assert str(said) == value

    def test_tags_come_back(self, environ: dict[str, str], tmp_path: Path) -> None:
        set_value("tags", 'a b=1,q="x",ü=y', environ)
        assert load_settings(environ=environ, folder=tmp_path).tags == {"a b": "1", "q": '"x"', "ü": "y"}

    def test_taking_out_what_is_and_what_is_not_there(self, environ: dict[str, str]) -> None:
        assert self.after(environ, '# c\npue = 1.2\nzone = "DE"\n', "pue", None) == '# c\nzone = "DE"\n'
        assert self.after(environ, 'zone = "DE"\n', "pue", None) == 'zone = "DE"\n'

    def test_a_tag_named_like_a_setting_survives(self, environ: dict[str, str], tmp_path: Path) -> None:
        self.after(environ, '[tags]\nproject = "tagged"\n', "project", "mine")
        settings = load_settings(environ=environ, folder=tmp_path)
        assert (settings.project, settings.tags) == ("mine", {"project": "tagged"})

    @pytest.mark.parametrize("before", ['[tags]\na = "1"\n', 'project = """\nlong\n"""\n'])
    def test_a_file_that_it_cannot_edit_stays_as_it_was(self, environ: dict[str, str], before: str) -> None:
        key, value = ("tags", "b=2") if "tags" in before else ("project", "short")
        path = user_config(environ)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(before)
        with pytest.raises(ConfigError, match=r"config\.toml"):
            set_value(key, value, environ)
        assert path.read_text() == before
        assert [entry.name for entry in path.parent.iterdir()] == ["config.toml"]

    def test_what_does_not_fit_changes_nothing(self, environ: dict[str, str]) -> None:
        for key, value in (("pue", "x"), ("nonsense", "1")):
            with pytest.raises(ConfigError):
                set_value(key, value, environ)
        assert not user_config(environ).exists()

    def test_a_folder_that_cannot_be_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(ConfigError, match="file"):
            set_value("pue", "1.2", {"GREENAI_CONFIG": str(tmp_path / "file" / "c.toml")})


@pytest.mark.parametrize("file", ["greenai.toml", "pyproject.toml"])
def test_a_project_may_not_say_where_a_password_goes(tmp_path: Path, file: str) -> None:
    section = "[tool.greenai]\n" if file == "pyproject.toml" else ""
    (tmp_path / file).write_text(f'{section}redfish_url = "https://evil.example"\n')
    with pytest.raises(ConfigError) as refused:
        load_settings(environ={}, folder=tmp_path)
    assert "redfish_url" in refused.value.message.de
    assert refused.value.remedy is not None
    assert "greenai config set redfish_url" in refused.value.remedy.en


@pytest.mark.parametrize("address", ["https://admin:secret@bmc", "bmc", "ftp://bmc", "https://", ""])
def test_an_address_has_no_password_in_it(address: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings({"redfish_url": address}, environ={})
    assert "secret" not in refused.value.message.en
