"""Sources: whether their stored settings can be opened, and which tables the engine has switched off."""

from hedgerow.cli.checkup.report import Check, judged


def secret_key() -> Check:
    from hedgerow.sources import health

    return judged(
        "secret key",
        health.sealed_by_another_key(),
        well="it opens the stored settings of every source",
        wrong="source(s) have settings that were sealed with another key",
        do="Start with the HEDGEROW_SECRET_KEY, or the file secret_key, that was used before; or enter the credentials "
        "of these sources again.",
    )


def switched_off() -> Check:
    from hedgerow.sources import health

    return judged(
        "switched off",
        health.switched_off(),
        well="no table was switched off by an error",
        wrong="table(s) were switched off by an error that time does not mend",
        do="Do what each error says, then enable the table again (should_sync).",
    )
