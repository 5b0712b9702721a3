"""Databases that people name: no secret of an address is kept or told."""

from pathlib import Path

import pytest

from penstock.data.databases import open_database, shown_address
from penstock.errors import SpecError

SECRET_OPTIONS = ["password", "passwd", "PWD", "token", "sslpassword", "odbc_connect", "client_secret", "api_key"]


@pytest.mark.parametrize("option", SECRET_OPTIONS)
def test_a_secret_among_an_address_s_options_is_refused_and_not_repeated(option: str, tmp_path: Path) -> None:
    address = f"postgresql+psycopg://db/shop?user=ann&{option}=hunter2"
    with pytest.raises(SpecError, match="must not hold a password or another secret") as caught:
        open_database(address, tmp_path, "source.url")
    assert "hunter2" not in str(caught.value)


def test_no_option_of_an_address_is_told() -> None:
    assert shown_address("mysql+pymysql://ann@h/shop?passwd=hunter2&ssl_key=k") == "mysql+pymysql://ann@h/shop"
    assert shown_address("env:ORDERS_URL") == "env:ORDERS_URL"


def test_options_that_are_no_secret_are_taken(tmp_path: Path) -> None:
    engine = open_database("postgresql+psycopg://db/shop?sslmode=require&sslkey=client.key", tmp_path, "source.url")
    assert engine.url.query == {"sslmode": "require", "sslkey": "client.key"}


def test_an_address_in_the_environment_may_hold_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_URL", "postgresql+psycopg://db/shop?user=ann&password=hunter2")
    assert open_database("env:ORDERS_URL", tmp_path, "source.url").url.query["password"] == "hunter2"


def test_a_port_that_is_no_number_is_the_address_s_fault_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="must be a database's address") as caught:
        open_database("postgresql://ann:hunter2/shop", tmp_path, "source.url")
    assert "hunter2" not in str(caught.value)
