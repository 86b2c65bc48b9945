"""A form with a field of every type."""

from hedgerow.connectors.spec import Input, Option, Select, Spec, SSHTunnel, SwitchGroup

FORM = Spec(
    name="Everything",
    fields=(
        Input("host", "Host"),
        Input("port", "Port", type="number"),
        Input("password", "Password", type="password"),
        Input("schema", "Schema", required=False),
        Input("page-size", "Page size", type="number", required=False),
        Input("token", "Token", required=False, secret=True),
        Select(
            "using_ssl",
            "SSL?",
            (Option("Yes", "true"), Option("No", "false")),
            default="true",
            required=False,
            converter="str_to_bool",
        ),
        Select(
            "auth",
            "Login",
            (
                Option("Key", "key", (Input("api_key", "Key", type="password"), Input("region", "Region"))),
                Option("OAuth", "oauth", (Input("account", "Account", required=False),)),
            ),
            default="key",
            required=False,
        ),
        SwitchGroup(
            "proxy",
            "Proxy?",
            (Input("url", "Address", type="url"), Input("secret", "Secret", required=False, secret=True)),
        ),
        SSHTunnel(),
    ),
)
