"""Cells and buildings of the published plans as GeoJSON or GeoPackage."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
from django.db.models import QuerySet
from shapely import from_wkb, to_geojson

from grids.places.models import Building, CellShape

_CRS = "EPSG:4326"
FORMATS = {"geojson": "application/geo+json", "gpkg": "application/geopackage+sqlite3"}


def cells_table(shapes: QuerySet[CellShape]) -> dict[str, list[Any]]:
    """Return the columns of cells; `geometry` is WKB."""
    rows = shapes.values_list("cell__code", "cell__name", "households", "geometry")
    return _columns(("code", "name", "households", "geometry"), list(rows))


def buildings_table(buildings: QuerySet[Building]) -> dict[str, list[Any]]:
    """Return the columns of buildings; no person is named in them."""
    rows = buildings.order_by("pk").values_list(
        "source_id",
        "name",
        "address",
        "street_name",
        "dwellings",
        "levels",
        "cell__code",
        "geometry",
    )  # fmt: skip
    names = ("id", "name", "address", "street", "dwellings", "levels", "cell", "geometry")
    return _columns(names, list(rows))


def _columns(names: Sequence[str], rows: Sequence[Any]) -> dict[str, list[Any]]:
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}


def geojson(table: dict[str, list[Any]]) -> bytes:
    """Write one layer as RFC 7946 GeoJSON."""
    names = [name for name in table if name != "geometry"]
    features = [
        {
            "type": "Feature",
            "properties": dict(zip(names, values, strict=True)),
            "geometry": json.loads(to_geojson(from_wkb(bytes(wkb)))),
        }
        for *values, wkb in zip(*(table[name] for name in [*names, "geometry"]), strict=True)
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
    return text.encode()


def geopackage(tables: dict[str, dict[str, list[Any]]]) -> bytes:
    """Write the layers into one GeoPackage file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.gpkg"
        for name, table in tables.items():
            _write(path, name, table, append=path.exists())
        return path.read_bytes()


def _write(path: Path, name: str, table: dict[str, list[Any]], *, append: bool) -> None:
    fields = [each for each in table if each != "geometry"]
    pyogrio.raw.write(
        path,
        geometry=np.array([bytes(wkb) for wkb in table["geometry"]], dtype=object),
        field_data=[_array(table[each]) for each in fields],
        fields=fields,
        layer=name,
        driver="GPKG",
        geometry_type="MultiPolygon" if name == "cells" else "Unknown",
        promote_to_multi=name == "cells",
        crs=_CRS,
        append=append,
    )


def _array(values: list[Any]) -> Any:
    numbers = [each for each in values if each is not None]
    if numbers and all(isinstance(each, int) for each in numbers):
        if len(numbers) == len(values):
            return np.array(values, dtype=np.int64)
        return np.array([np.nan if each is None else each for each in values], dtype=np.float64)
    return np.array(["" if each is None else str(each) for each in values], dtype=object)
