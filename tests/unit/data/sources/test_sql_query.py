"""Rows of a database, whose address stays a secret."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from penstock.data.sources.sql_query import SqlQuery
from penstock.errors import DataError, SourceUnavailable, SpecError
from penstock.spec import Source


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'hidden-name.db'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("create table t (a integer, b text)"))
        connection.execute(sa.text("insert into t values (1, 'x'), (2, null)"))
    engine.dispose()
    monkeypatch.setenv("ORDERS_URL", url)


@pytest.mark.usefixtures("address")
def test_the_address_comes_from_the_environment_and_is_never_told(tmp_path: Path) -> None:
    source = Source(kind="sql_query", url="env:ORDERS_URL", query="select a,\n b from t")
    assert SqlQuery().read(source, tmp_path).frame["a"].tolist() == [1, 2]
    assert SqlQuery().describe(source) == "sql_query env:ORDERS_URL select a, b from t"
    with pytest.raises(DataError) as caught:
        SqlQuery().read(source.model_copy(update={"query": "select absent from t"}), tmp_path)
    assert "no such column" in str(caught.value)
    assert "hidden-name" not in str(caught.value)


def test_a_password_in_the_project_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    source = Source(kind="sql_query", url="postgresql+psycopg://me:hunter2@127.0.0.1/shop", query="select 1")
    with pytest.raises(SpecError, match="must not hold a password") as caught:
        SqlQuery().read(source, tmp_path)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in SqlQuery().describe(source)


def test_a_database_that_does_not_answer_is_unavailable_and_unnamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_URL", "postgresql+psycopg://me:hunter2@127.0.0.1:1/shop")
    source = Source(kind="sql_query", url="env:ORDERS_URL", query="select 1")
    with pytest.raises(SourceUnavailable, match="must answer") as caught:
        SqlQuery().read(source, tmp_path)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_unset_secret_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="'NOT_SET' must hold the secret"):
        SqlQuery().read(Source(kind="sql_query", url="env:NOT_SET", query="select 1"), tmp_path)


@pytest.mark.usefixtures("address")
def test_a_statement_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must give rows"):
        SqlQuery().read(Source(kind="sql_query", url="env:ORDERS_URL", query="delete from t"), tmp_path)


@pytest.mark.usefixtures("address")
def test_a_query_is_sent_as_it_is_written(tmp_path: Path) -> None:
    query = "select ' :none' as a, 'at :noon' as b, '5 %s' as c, 'd\\:e' as d from t"
    frame = SqlQuery().read(Source(kind="sql_query", url="env:ORDERS_URL", query=query), tmp_path).frame
    assert frame.iloc[0].tolist() == [" :none", "at :noon", "5 %s", "d\\:e"]


@pytest.mark.usefixtures("address")
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select t.a from t join t u on a = u.a", "ambiguous column name: a"),
        ("select foo(a) from t", "no such function: foo"),
        ("select a from t where a = max(a)", r"misuse of aggregate function max\(\)"),
        ("select a frm t t t", "syntax error"),
        ("select a from t order by b collate none", "no such collation sequence"),
        ("select 1; select 2", "one statement at a time"),
    ],
)
def test_a_query_that_is_wrong_is_not_asked_again(tmp_path: Path, query: str, said: str) -> None:
    with pytest.raises(DataError, match=f"must understand `source.query`, but says: .*{said}") as caught:
        SqlQuery().read(Source(kind="sql_query", url="env:ORDERS_URL", query=query), tmp_path)
    assert not isinstance(caught.value, SourceUnavailable)


def test_a_database_file_that_is_locked_is_unavailable(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'd.db'}")
    with engine.connect() as connection:
        connection.exec_driver_sql("create table t (a integer)")
        connection.exec_driver_sql("begin exclusive")
        with pytest.raises(SourceUnavailable, match="must answer"):
            SqlQuery().read(
                Source(kind="sql_query", url="sqlite:///d.db?timeout=0.1", query="select * from t"), tmp_path
            )
    engine.dispose()
