"""Hold how rows become Segment calls. All rows here are made up."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from config.load import RulesInvalid
from config.mapping import (
    ImportMapping,
    RowError,
    check_calls,
    csv_calls,
    json_calls,
    load_mapping,
    read_calls,
)

EXAMPLES = Path(__file__).parents[2] / "config" / "examples"
FUNNEL = """mql_id,first_contact,landing_page_id,origin,won_date
aa1,2020-01-02,page1,social,
bb2,2020-01-03,page2,,2020-02-01 10:11:12
"""


def a_mapping(**changes: Any) -> ImportMapping:
    """Return a mapping with one call; `changes` go to the call."""
    call = {"type": "identify", "time": "at", "message_id": "{id}:identify", "user_id": "{id}"}
    return ImportMapping.model_validate({"calls": [call | changes]})


def calls_of(text: str, mapping: ImportMapping) -> list[dict[str, Any]]:
    return list(csv_calls(text.splitlines(keepends=True), mapping))


def test_a_joined_file_makes_a_lead_and_its_order() -> None:
    first, second, order = calls_of(FUNNEL, load_mapping(EXAMPLES / "olist_funnel.yaml"))
    assert first == {
        "type": "identify",
        "messageId": "aa1:identify",
        "timestamp": "2020-01-02T00:00:00Z",
        "userId": "aa1",
        "traits": {"landing_page": "page1", "origin": "social", "email": "aa1@example.com"},
        "context": {
            "consent": {
                "categoryPreferences": {"email": True},
                "basis": "legitimate interest: requested contact",
            }
        },
    }
    assert "origin" not in second["traits"], "an empty column is no trait"
    assert order["event"] == "Order Completed"
    assert order["timestamp"] == "2020-02-01T10:11:12Z"
    assert order["properties"] == {"order_id": "bb2", "total": 1}
    assert order["context"] == {"traits": {"email": "bb2@example.com"}}, "an address, no consent"


def test_leads_and_deals_in_two_files_make_the_same_ids_as_the_joined_one() -> None:
    leads = "mql_id,first_contact_date,landing_page_id,origin\nbb2,03-01-2020,page2,\n"
    deals = "mql_id,won_date,business_segment,lead_type\nbb2,2020-02-01 10:11:12,toys,\n"
    joined = calls_of(FUNNEL, load_mapping(EXAMPLES / "olist_funnel.yaml"))[1:]
    (lead,) = calls_of(leads, load_mapping(EXAMPLES / "olist_leads.yaml"))
    (deal,) = calls_of(deals, load_mapping(EXAMPLES / "olist_deals.yaml"))
    assert lead == joined[0]
    assert (deal["messageId"], deal["timestamp"]) == (
        joined[1]["messageId"],
        joined[1]["timestamp"],
    )
    assert deal["properties"] == {"order_id": "bb2", "total": 1, "segment": "toys"}
    assert deal["context"] == {"traits": {"email": "bb2@example.com"}}


def test_packed_files_are_read_too_and_so_is_a_byte_order_mark(tmp_path: Path) -> None:
    mapping = load_mapping(EXAMPLES / "olist_funnel.yaml")
    plain, packed = tmp_path / "funnel.csv", tmp_path / "funnel.csv.gz"
    plain.write_bytes(b"\xef\xbb\xbf" + FUNNEL.encode())
    packed.write_bytes(gzip.compress(FUNNEL.encode()))
    assert list(read_calls(plain, mapping)) == list(read_calls(packed, mapping))
    assert check_calls(packed, mapping) == (3, None, 0, "")


def test_times_without_a_zone_are_in_the_mappings_zone() -> None:
    mapping = a_mapping(time_format="%d/%m/%Y %H:%M")
    local = mapping.model_copy(update={"zone": "America/Sao_Paulo"})
    text = "id,at\n1,03/01/2020 10:30\n"
    assert calls_of(text, mapping)[0]["timestamp"] == "2020-01-03T10:30:00Z"
    assert calls_of(text, local)[0]["timestamp"] == "2020-01-03T13:30:00Z"
    named = "id,at\n1,2020-01-03T10:30:00+02:00\n"
    assert calls_of(named, a_mapping())[0]["timestamp"] == "2020-01-03T08:30:00Z"


def test_the_end_of_a_day_and_a_leap_second_are_times() -> None:
    text = "id,at\n1,2020-01-03T24:00:00\n2,2016-12-31T23:59:60Z\n"
    local = a_mapping().model_copy(update={"zone": "America/Sao_Paulo"})
    assert [each["timestamp"] for each in calls_of(text, local)] == [
        "2020-01-04T03:00:00Z",
        "2017-01-01T00:00:00Z",
    ]


def test_values_are_text_numbers_or_yes_and_no_as_the_mapping_says() -> None:
    traits = {
        "full": "{first} {last}",
        "fixed": 3,
        "spent": {"column": "spent", "as": "number"},
        "vip": {"column": "vip", "as": "yes_no"},
    }
    text = "id,at,first,last,spent,vip\n1,2020-01-03,Ann,Lee,12.50,Yes\n2,2020-01-03,,,,\n"
    one, two = calls_of(text, a_mapping(traits=traits))
    assert one["traits"] == {"full": "Ann Lee", "fixed": 3, "spent": 12.5, "vip": True}
    assert two["traits"] == {"fixed": 3}


@pytest.mark.parametrize(
    ("row", "column", "problem"),
    [
        ("1,June,x", "at", "'June' is not of the format iso"),
        ("1,,x", "at", "is empty"),
        (",2020-01-01,x", "id", "is empty, and {id}:identify is made of it"),
        ("1,2020-01-01,many", "spent", "'many' is no number"),
        ("1,2020-01-01", "", "2 fields, but the header has 3"),
        ('1,2020-01-01,"x', "", "this cannot be read"),
    ],
)
def test_a_bad_row_is_named_with_its_column(row: str, column: str, problem: str) -> None:
    mapping = a_mapping(traits={"spent": {"column": "spent", "as": "number"}})
    text = f"id,at,spent\n9,2020-01-01,5\n{row}\n"
    with pytest.raises(RowError) as caught:
        calls_of(text, mapping)
    assert (caught.value.row, caught.value.column) == (3, column)
    assert problem in str(caught.value)


def test_a_row_whose_call_no_gateway_takes_is_named() -> None:
    mapping = a_mapping(traits={"note": "{note}"})
    text = f"id,at,note\n1,2024-01-01,ok\n2,2024-01-01,{'x' * 40_000}\n"
    with pytest.raises(RowError, match="row 3: a call may have 32768 bytes"):
        calls_of(text, mapping)


def test_a_column_that_is_not_there_or_stands_twice_is_told_before_any_row() -> None:
    with pytest.raises(RowError, match=r"row 1, column at: is not in the file; there are: id, day"):
        calls_of("id,day\n1,2\n", a_mapping())
    with pytest.raises(RowError, match=r"row 1, column id: stands twice"):
        calls_of("id,at,id\n1,2,3\n", a_mapping())


def test_a_file_that_is_cut_or_no_text_is_told_by_its_row(tmp_path: Path) -> None:
    cut, binary = tmp_path / "cut.csv.gz", tmp_path / "binary.csv"
    cut.write_bytes(gzip.compress(FUNNEL.encode() * 50)[:-20])
    binary.write_bytes(b"id,at\n1,2020-01-01\n\xff\xfe,x\n")
    for file in (cut, binary):
        error = check_calls(file, a_mapping(time="at")).error
        assert error is not None
    assert "UTF-8" in str(error)


def test_the_row_that_is_no_text_is_the_one_that_is_named(tmp_path: Path) -> None:
    """Not the one at which somebody who reads ahead stumbles."""
    file = tmp_path / "latin.csv"
    rows = [f"{n},2020-01-01\r\n".encode() for n in range(2, 400)]
    rows[148] = "150é,2020-01-01\r\n".encode("latin-1")
    file.write_bytes(b"\xef\xbb\xbfid, at\r\n" + b"".join(rows))
    error = check_calls(file, a_mapping(time="at")).error
    assert error is not None
    assert "row 150" in str(error)
    file.write_bytes(b"id,at\r1,2020-01-01\r2,2020-01-02\r")
    assert check_calls(file, a_mapping(time="at")).calls == 2


def test_calls_with_the_message_id_of_an_earlier_one_are_counted(tmp_path: Path) -> None:
    """They are ignored as repeats later: without a word two orders of one day would be one."""
    file = tmp_path / "orders.csv"
    file.write_text("id,at\n1,2020-01-01\n2,2020-01-02\n1,2020-01-03\n1,2020-01-04\n2,2020-01-05\n")
    assert check_calls(file, a_mapping(time="at")) == (5, None, 3, "1:identify")


def test_json_lines_are_calls_and_get_an_id_where_they_have_none() -> None:
    lines = ['{"type":"track","event":"A","userId":"u"}\n', "\n", '{"type":"page","messageId":"m"}']
    first, second = json_calls(lines)
    assert first["messageId"].startswith("import:")
    assert second["messageId"] == "m"
    assert next(iter(json_calls(lines))) == first, "the same file gives the same ids"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "row 2: this is no JSON"),
        ("[1]", "row 2, column type: must be one of"),
        ('{"type":"mail_opened"}', "row 2, column type: must be one of"),
        ('{"type":[],"userId":"u"}', "row 2, column type: must be one of"),
        ('{"type":"track","x":NaN}', "row 2: this is no JSON"),
        ('{"type":"' + "x" * 40_000 + '"}', "row 2: a call may have"),
        (
            '{"type":"page","a":123456789012345678901}',
            "123456789012345678901 has more than 64 bits",
        ),
    ],
)
def test_a_bad_line_is_named(line: str, problem: str) -> None:
    with pytest.raises(RowError) as caught:
        list(json_calls(['{"type":"page"}\n', line]))
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("type: track", "type: buy", "olist_funnel.yaml:23"),
        ("event: Order Completed", "evnt: Order Completed", "did you mean event?"),
        ('user_id: "{mql_id}"', 'user_id: "{mql_id"', "with both braces"),
        ("zone: UTC", "zone: Mars/Base", "there is no such time zone"),
        ("basis:", "reason:", "calls[1].consent.basis is missing"),
        (
            "time: first_contact",
            'time: a\n    time_format: "%d-%m %d"',
            "names one part of the time twice",
        ),
        ("time: first_contact", 'time: a\n    time_format: "%Y-%Q"', "is a bad directive"),
        ('"{mql_id}:order"', '"{mql_id}:identify"', "one would be a repeat of the other"),
        ('"{mql_id}:order"', "same", "message_id names no {column}"),
    ],
)
def test_a_wrong_mapping_is_told_with_file_and_line(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    text = (EXAMPLES / "olist_funnel.yaml").read_text()
    assert old in text
    file = tmp_path / "olist_funnel.yaml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(RulesInvalid) as caught:
        load_mapping(file)
    assert any(problem in str(error) for error in caught.value.errors), caught.value.errors
