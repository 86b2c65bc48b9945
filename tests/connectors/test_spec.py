import json

from hedgerow.connectors.spec import Input, Option, Select, Spec, SSHTunnel, SwitchGroup, describe

KEYS = {
    "name", "label", "caption", "docsUrl", "iconPath", "iconClassName", "fields", "featured", "betaSource",
    "unreleasedSource", "existingSource", "disabledReason", "featureFlag", "permissionsCaption", "suggestedTables",
}  # fmt: skip


def test_every_key_is_there_with_null_or_its_default() -> None:
    described = describe(Spec(name="Plain"))

    assert described.keys() >= KEYS
    assert (described["featured"], described["fields"], described["suggestedTables"]) == (False, [], [])
    assert described["iconPath"] == "/static/services/plain.png"
    shown = KEYS - {"name", "featured", "fields", "suggestedTables", "iconPath"}
    assert {described[key] for key in shown} == {None}


def test_each_kind_of_field_has_its_keys() -> None:
    inner = Input("token", "Token", "password", placeholder="t")
    spec = Spec(
        name="All",
        fields=(
            Input("host", "Host", placeholder="h", caption="c"),
            Input("key", "Key", secret=True, required=False),
            Select("tls", "TLS", (Option("Yes", "true"), Option("No", "false")), "true", converter="str_to_bool"),
            Select("auth", "Login", (Option("Token", "token", (inner,)),), "token"),
            SwitchGroup("extra", "More", (inner,), caption="m"),
            SSHTunnel(),
        ),
    )
    token = {
        "type": "password", "name": "token", "label": "Token", "required": True, "placeholder": "t", "caption": None,
        "secret": True,
    }  # fmt: skip

    assert describe(spec)["fields"] == [
        {
            "type": "text", "name": "host", "label": "Host", "required": True, "placeholder": "h", "caption": "c",
            "secret": False,
        },
        {
            "type": "text", "name": "key", "label": "Key", "required": False, "placeholder": "", "caption": None,
            "secret": True,
        },
        {
            "type": "select", "name": "tls", "label": "TLS", "required": True, "defaultValue": "true",
            "converter": "str_to_bool",
            "options": [{"label": "Yes", "value": "true"}, {"label": "No", "value": "false"}],
        },
        {
            "type": "select", "name": "auth", "label": "Login", "required": True, "defaultValue": "token",
            "converter": None, "options": [{"label": "Token", "value": "token", "fields": [token]}],
        },
        {"type": "switch-group", "name": "extra", "label": "More", "default": False, "caption": "m", "fields": [token]},
        {"type": "ssh-tunnel", "name": "ssh_tunnel", "label": "Use SSH tunnel?"},
    ]  # fmt: skip


def test_suggestions_and_extras_are_shown() -> None:
    spec = Spec(name="X", suggested_tables=(("orders", "All of them"), ("items", None)), extra={"keywords": ["x"]})
    described = json.loads(json.dumps(describe(spec)))
    assert described["suggestedTables"] == [
        {"table": "orders", "tooltip": "All of them"},
        {"table": "items", "tooltip": None},
    ]
    assert described["keywords"] == ["x"]
