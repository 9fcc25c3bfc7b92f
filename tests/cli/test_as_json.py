import json

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from maglev.cli.render import as_json
from maglev.rpc._pb import maglev_pb2 as pb
from tests.cli import messages
from tests.cli.strangers import filled

ANSWERS = sorted({method.output_type.name for method in pb.DESCRIPTOR.services_by_name["Maglev"].methods})


def message_of(document: dict[str, object], kind: str) -> Message:
    """The message that a document tells of, which has to name each field of it, and nothing else."""
    message: Message = getattr(pb, kind)()
    fields = message.DESCRIPTOR.fields_by_name
    choices = {each.name for oneof in message.DESCRIPTOR.oneofs if len(oneof.fields) > 1 for each in oneof.fields}
    assert set(fields) - choices <= document.keys() <= set(fields)
    for name, value in document.items():
        field = fields[name]
        inner = field.message_type
        if value is None:
            assert field.has_presence
        elif inner is not None and inner.GetOptions().map_entry:
            assert isinstance(value, dict)
            getattr(message, name).update(value)
        elif field.is_repeated:
            assert isinstance(value, list)
            getattr(message, name).extend([message_of(each, inner.name) if inner else each for each in value])
        elif inner is not None:
            assert isinstance(value, dict)
            getattr(message, name).CopyFrom(message_of(value, inner.name))
        else:
            setattr(message, name, value)
    return message


@pytest.mark.parametrize("kind", ANSWERS)
@given(st.data())
def test_any_answer_can_be_made_of_its_json_again(kind: str, data: st.DataObject) -> None:
    message = data.draw(filled(kind))

    for written in (as_json.document(message), as_json.line(message)):
        assert message_of(json.loads(written), kind) == message
        assert written.isascii()
    assert "\n" not in as_json.line(message)
    assert as_json.document(message) == json.dumps(json.loads(as_json.line(message)), indent=2)


def test_all_that_is_absent_is_there_as_null_and_lists_are_lists() -> None:
    assert json.loads(as_json.document(pb.FrontendInfo(name="web"))) == {
        "name": "web",
        "address": "",
        "protocol": "",
        "port": 0,
        "pools": [],
        "description": "",
        "src_ip_sticky": False,
        "flush_on_down": False,
        "state": "",
        "active_pool": None,
        "refused": None,
        "changed_at_ns": 0,
        "audited_at_ns": None,
    }
    assert json.loads(as_json.document(pb.VPPLBState()))["conf"] is None


def test_a_document_is_indented_and_the_order_is_that_of_the_proto() -> None:
    assert as_json.document(pb.SyncVPPLBStateResponse(audited_at_ns=2**62, operations=3)) == (
        '{\n  "audited_at_ns": 4611686018427387904,\n  "operations": 3,\n  "refused_vips": 0\n}'
    )


def test_an_event_is_one_line_with_the_one_thing_that_happened() -> None:
    event = pb.Event(log=pb.LogEvent(at_ns=1, level="info", name="café\n", fields={"b": "2", "a": "1"}))

    assert as_json.line(event) == (
        '{"log": {"at_ns": 1, "level": "info", "name": "caf\\u00e9\\n", "fields": {"a": "1", "b": "2"}}}'
    )
    assert as_json.line(pb.Event()) == "{}"


def test_a_mapping_is_written_as_it_is() -> None:
    assert as_json.line({"b": [1, None], "a": 0.5}) == '{"b": [1, null], "a": 0.5}'
    with pytest.raises(ValueError, match="JSON compliant"):
        as_json.line({"a": float("nan")})


def test_the_site_of_the_goldens_is_told_whole() -> None:
    told = json.loads(as_json.document(pb.ListBackendsResponse(backends=messages.BACKENDS)))

    assert [each["name"] for each in told["backends"]] == [each.name for each in messages.BACKENDS]
    assert told["backends"][1]["transitions"][0]["from"] == "up"
