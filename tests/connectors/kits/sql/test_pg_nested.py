"""Arrays and composite values, whatever they consist of; and types of extensions, alone and inside of them."""

import json

import pyarrow as pa
import pytest

from hedgerow.connectors.contract import Reading, ReadRequest
from tests.connectors.kits.sql.reading import ANYWHERE, POSTGRES, choose_reader, needs_extension
from tests.support.postgres import PostgresDatabase


@pytest.fixture(params=["fast", "rows"], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_reader(monkeypatch, request.param)


def read(database: PostgresDatabase) -> tuple[pa.Table, Reading]:
    with POSTGRES.read(database.settings(), ANYWHERE, ReadRequest("t", bad_values="keep_text")) as reading:
        return pa.Table.from_batches(list(reading.batches), reading.schema), reading


def test_bounds_are_missed_however_deep_they_lie(pg_database: PostgresDatabase) -> None:
    pg_database.execute("""
        create type leaf as ("{n}" int[], "a""b" text);
        create domain bough as leaf;
        create type tree as (boughs bough[], top leaf);
        create table t (id int, v tree, vv tree[], plain leaf);
        insert into t values
          (1, row(array[row('{1}', '[0:0]={1}')::leaf::bough], row('{2}', 'x')), null, row('{3}', null)),
          (2, row(array[row('{1}', 'x')::leaf::bough, row('[0:0]={4}', 'y')::leaf::bough], null), null, null),
          (3, row(null, row('[5:5]={4}', 'y')), array[null, row(null, row('[2:2]={6}', 'z'))::tree], null);
    """)
    rows, reading = read(pg_database)
    assert {name: (loss.count, loss.sample) for name, loss in reading.losses.items()} == {
        "v": (2, ["id = 2", "id = 3"]),
        "vv": (1, ["id = 3"]),
    }
    assert [json.loads(text)["top"] for text in rows["v"].to_pylist()][2] == {"{n}": [4], 'a"b': "y"}
    kept = rows["vv__raw"].to_pylist()
    assert kept[:2] == [None, None]
    assert "[2:2]={6}" in kept[2]


def test_what_holds_no_arrays_can_lose_nothing(pg_database: PostgresDatabase) -> None:
    pg_database.execute("create type pair as (a int, b text); create table t (p pair, e text, i int2vector)")
    (table,) = POSTGRES.tables(pg_database.settings(), ANYWHERE)
    assert [column.may_lose for column in table.columns] == [None, None, None]


def test_hstore_is_json_also_inside_of_others(pg_database: PostgresDatabase) -> None:
    needs_extension(pg_database, "hstore")
    pg_database.execute("""
        create type bag as (h hstore); create table t (h hstore, hh hstore[], b bag);
        insert into t values ('a=>1, "b c"=>null', array['x=>NULL'::hstore, null], row('y=>"\\"q\\""'));
    """)
    (row,) = read(pg_database)[0].select(["h", "hh", "b"]).to_pylist()
    assert {name: json.loads(text) for name, text in row.items()} == {
        "h": {"a": "1", "b c": None},
        "hh": [{"x": None}, None],
        "b": {"h": {"y": '"q"'}},
    }


def test_shapes_of_postgis_keep_every_digit_and_their_system(pg_database: PostgresDatabase) -> None:
    needs_extension(pg_database, "postgis")
    pg_database.execute("""
        create type place as (at geometry);
        create table t (g geometry(point, 4326), gg geometry[], p place, w geography);
        insert into t values ('SRID=4326;POINT(0.12345678901234567 1)', array['POINT(0.12345678901234567 1)'::geometry],
          row('SRID=3857;POINT(0.12345678901234567 1)'), 'POINT(0.12345678901234567 1)');
    """)
    rows, reading = read(pg_database)
    (row,) = rows.to_pylist()
    assert reading.losses == {}
    exact = "select g = %s::geometry and gg::text = %s and p::text = %s and w::text = %s from t"
    assert pg_database.execute(exact, [row["g"], row["gg"], row["p"], row["w"]]) == [(True,)]
