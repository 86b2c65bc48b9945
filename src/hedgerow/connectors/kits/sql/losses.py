"""Values that no table can hold: counted, named, kept as text or refused, as the request says."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow.connectors.contract import Loss, ReadRequest
from hedgerow.connectors.kits.sql.pg_decode import Lost
from hedgerow.core.errors import BadDataError

SAMPLES: Final = 5
"""Rows named for each column."""
SAMPLE_LENGTH: Final = 100
RAW: Final = "{}__raw"


def raw_names(columns: Sequence[str], lossy: Collection[str]) -> dict[str, str]:
    """Lossy column → the column of its text: `<column>__raw`, or that with the first free of `_2`, `_3`…"""
    taken = set(columns)
    found: dict[str, str] = {}
    for column in columns:
        if column in lossy:
            name, number = RAW.format(column), 1
            while name in taken:
                number += 1
                name = f"{RAW.format(column)}_{number}"
            found[column] = name
            taken.add(name)
    return found


class Tally:
    """The losses of one reading. `losses` is what `Reading.losses` shows."""

    def __init__(self, request: ReadRequest, key: Sequence[str]) -> None:
        self.losses: dict[str, Loss] = {}
        self._request, self._key = request, key
        self._rows = 0

    def add(self, batch: pa.RecordBatch, lost: Mapping[str, Lost]) -> None:
        """Take note of a batch, in the order of handing on. Raises BadDataError where nothing may be lost."""
        for column, each in lost.items():
            loss = self.losses.setdefault(column, Loss(each.reason))
            loss.count += pc.sum(each.mask).as_py()
            places = pc.indices_nonzero(each.mask).slice(0, SAMPLES - len(loss.sample)).to_pylist()
            loss.sample += [self._row(batch, place)[:SAMPLE_LENGTH] for place in places]
            if self._request.bad_values == "fail":
                raise BadDataError(
                    f'Column "{column}" of table "{self._request.table}" holds a value that cannot be stored '
                    f"({each.reason}), first in the row with {loss.sample[0]}. Nothing was written.",
                    hint="Correct it in the source, or set bad_values of this table to null_and_count or keep_text; "
                    "then enable the table again.",
                )
        self._rows += batch.num_rows

    def _row(self, batch: pa.RecordBatch, place: int) -> str:
        """What tells a row from the others: its key, else its place among the rows read, from 1."""
        if not self._key:
            return f"place {self._rows + place + 1}"
        return ", ".join(f"{name} = {_shown(batch.column(name)[place])}" for name in self._key)


def _shown(value: pa.Scalar) -> str:
    """Arrow's text, which has no limits to years as Python's dates do; bytes in hexadecimal."""
    if not value.is_valid:
        return "null"
    return str(value.as_py().hex() if pa.types.is_binary(value.type) else value.cast(pa.string()).as_py())
