"""What the address of a database server becomes for each of the three databases on it."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from penstock.domain.workspace import Workspace
from penstock.errors import SpecError
from penstock.store.workspace import database_url, environment, find_workspace, mlflow_database_url

PREFECT = "PREFECT_SERVER_DATABASE_CONNECTION_URL"


def served_by(address: str) -> Workspace:
    return Workspace(home=Path("home"), app=Path("app"), database_server=address)


@pytest.mark.parametrize(
    "address",
    ["postgresql://u:p%2F@db:5432", "postgresql://u:p%2F@db:5432/", "postgres://u:p%2F@db:5432/any"],
)
def test_every_database_is_one_of_the_server(address: str) -> None:
    workspace = served_by(address)
    assert database_url(workspace) == "postgresql+psycopg://u:p%2F@db:5432/penstock"
    assert mlflow_database_url(workspace) == "postgresql+psycopg://u:p%2F@db:5432/mlflow"
    assert environment(workspace)[PREFECT] == "postgresql+asyncpg://u:p%2F@db:5432/prefect"


def test_every_database_is_asked_as_the_options_of_the_address_say() -> None:
    workspace = served_by("postgresql://u:p@db/penstock?sslmode=require")
    assert database_url(workspace) == "postgresql+psycopg://u:p@db/penstock?sslmode=require"
    assert mlflow_database_url(workspace) == "postgresql+psycopg://u:p@db/mlflow?sslmode=require"
    assert environment(workspace)[PREFECT] == "postgresql+asyncpg://u:p@db/prefect?ssl=require"


def test_asyncpg_is_given_the_options_by_the_names_it_takes() -> None:
    workspace = served_by("postgresql://u:p@/?host=/run/postgresql&sslmode=verify-full")
    address = sa.make_url(environment(workspace)[PREFECT])
    _, options = address.get_dialect()().create_connect_args(address)
    given = {"user": "u", "password": "p", "database": "prefect", "host": "/run/postgresql", "ssl": "verify-full"}
    assert options == given


def test_a_slash_in_an_option_does_not_end_the_address() -> None:
    workspace = served_by("postgresql://db?sslrootcert=/etc/ca.pem")
    assert database_url(workspace) == "postgresql+psycopg://db/penstock?sslrootcert=/etc/ca.pem"


def test_an_option_that_prefects_driver_does_not_take_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PENSTOCK_DATABASE_URL", "postgresql://u:p@db?sslmode=require&sslrootcert=/etc/ca.pem")
    with pytest.raises(SpecError, match=r"there are 'sslrootcert'\. Leave these out; .* PGSSLROOTCERT"):
        find_workspace(create=False)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("db/hunter2", "the scheme ''"),
        ("u:hunter2@db", "the scheme 'u'"),
        ("mysql://u:hunter2@db/penstock", "the scheme 'mysql'"),
        ("postgresql://", "no host"),
        ("postgresql://u:hunter2@/penstock", "no host"),
        ("postgresql://db:0", "port 0"),
        ("postgresql://u:hunter2@db:port/penstock", "a port that cannot be read"),
        ("postgresql://u:hunter2@[db/penstock", "a host or a port that cannot be read"),
        ("postgresql://u:hunter2/@db/penstock", "elsewhere than before the host"),
        ("postgresql://u:hunter2?@db/penstock", "elsewhere than before the host"),
        ("postgresql://u:hunter2#@db/penstock", "elsewhere than before the host"),
        ("postgresql://u:@hunter2@db/penstock", "elsewhere than before the host"),
        ("postgresql://db/penstock/hunter2", "more than a database's name"),
    ],
)
def test_what_is_no_address_of_a_server_is_refused_without_its_password(
    address: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_DATABASE_URL", address)
    with pytest.raises(SpecError, match="`PENSTOCK_DATABASE_URL` must be the address of a PostgreSQL server") as caught:
        find_workspace(create=False)
    assert found in caught.value.message
    assert "hunter2" not in caught.value.message
    assert caught.value.__context__ is None
    with pytest.raises(SpecError):
        database_url(served_by(address))
