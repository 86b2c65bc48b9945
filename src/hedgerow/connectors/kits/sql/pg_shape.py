"""From the batches of a reader to those that are handed on: every column decoded, and the text of lost values kept."""

import json
from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow.connectors.kits.sql import pg_decode
from hedgerow.connectors.kits.sql.losses import raw_names
from hedgerow.connectors.kits.sql.pg_decode import Lost
from hedgerow.connectors.kits.sql.pg_plan import ReadPlan

_NO_TEXT: Final = pa.scalar(None, pa.string())


class Shape:
    """What a reading hands on. `schema`: the columns of the source, then those of texts if any were asked for."""

    def __init__(self, plan: ReadPlan, *, keeps_text: bool) -> None:
        self._plan = plan
        names = [column.name for column in plan.columns]
        self._raw = raw_names(names, {c.name for c in plan.columns if c.may_lose}) if keeps_text else {}
        stored = [(column.name, pg_decode.arrow_type(column.plan)) for column in plan.columns]
        self.schema = pa.schema([*stored, *((name, pa.string()) for name in self._raw.values())])

    def decode(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[str, Lost]]:
        """The batch with exactly `schema`, and what was lost of which column."""
        checked = self._checked(batch)
        arrays: list[pa.Array] = []
        lost: dict[str, Lost] = {}
        for values, column in zip(batch.columns, self._plan.columns, strict=False):
            decoded, gone = pg_decode.decode(values, column.plan, checked.get(column.name))
            arrays.append(decoded)
            if gone:
                lost[column.name] = gone
        for name in self._raw:
            gone = lost.get(name)
            kept = pc.if_else(gone.mask, gone.texts, _NO_TEXT) if gone else pa.nulls(batch.num_rows, pa.string())
            arrays.append(kept)
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema), lost

    def _checked(self, batch: pa.RecordBatch) -> Mapping[str, pa.StringArray]:
        """The texts of the checked columns; nothing when there are none, as in most batches."""
        if not self._plan.checked or batch.column(batch.num_columns - 1).null_count == batch.num_rows:
            return {}
        lists = [json.loads(each) if each else None for each in batch.column(batch.num_columns - 1).to_pylist()]
        return {
            column.name: pa.array([each and each[place] for each in lists], pa.string())
            for place, column in enumerate(self._plan.checked)
        }
