"""A million buildings from one file, and 200,000 points found in cells: time and peak memory.

python -m bench.imports [--features 1000000] [--points 200000] [--db DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CELLS = 157


def write_file(path: Path, count: int) -> None:
    """Write `count` small houses in rows, as one GeoJSON file."""
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type":"FeatureCollection","features":[')
        for n in range(count):
            x, y = 122.3 + (n % 1000) * 0.0002, 37.0 + (n // 1000) * 0.0002
            ring = [
                [round(x + a * 1e-4, 6), round(y + b * 1e-4, 6)]
                for a, b in ((0, 0), (1, 0), (1, 0.4), (0.5, 0.4), (0.5, 1), (0, 1), (0, 0))
            ]
            feature = {
                "type": "Feature",
                "id": n,
                "properties": {"dwellings": n % 40, "name": f"幸福小区{n}号楼", "levels": 6},
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
            file.write(("," if n else "") + json.dumps(feature, ensure_ascii=False))
        file.write("]}")


def child(*args: str) -> dict[str, float]:
    """Run manage.py and return its seconds and its own peak memory in MB."""
    code = (
        "import resource, sys, time; from django.core.management import execute_from_command_line;"
        "t = time.perf_counter(); execute_from_command_line(sys.argv);"
        "print('PEAK', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,"
        "time.perf_counter() - t)"
    )
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    out = subprocess.run(
        [sys.executable, "-c", code, *args], env=env, check=True, capture_output=True, text=True
    ).stdout
    peak, seconds = out.rsplit("PEAK", 1)[1].split()
    print(out.rsplit("PEAK", 1)[0].strip(), file=sys.stderr)
    return {"peak_mb": round(float(peak)), "seconds": round(float(seconds), 1)}


def locate(count: int) -> float:
    """Return the seconds that `count` points take in 157 cells of the kind that we draw."""
    from shapely import STRtree, prepare, voronoi_polygons
    from shapely.geometry import MultiPoint, box

    from grids.places import index

    random = np.random.default_rng(1)
    area = box(122.3, 37.0, 122.5, 37.2)
    seeds = MultiPoint(np.column_stack([random.uniform(122.3, 122.5, CELLS),
                                        random.uniform(37.0, 37.2, CELLS)]))  # fmt: skip
    shapes = [
        one.intersection(area).segmentize(0.0002)
        for one in voronoi_polygons(seeds, extend_to=area).geoms
    ]
    prepare(shapes)
    index._kept = index._Index(
        token=(), cells=np.arange(len(shapes)), shapes=shapes, tree=STRtree(shapes)
    )
    index._looked_at = time.monotonic() + 1e6
    lons, lats = random.uniform(122.3, 122.5, count), random.uniform(37.0, 37.2, count)
    start = time.perf_counter()
    found = index.locate_many(lats=lats, lons=lons)
    seconds = time.perf_counter() - start
    assert (found >= 0).all()
    return seconds


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=1_000_000)
    parser.add_argument("--points", type=int, default=200_000)
    args = parser.parse_args()
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        if "DATABASE_URL" not in os.environ:
            os.environ["DATABASE_URL"] = f"sqlite:///{folder}/bench.sqlite3"
        os.environ["LINLI_VAR_DIR"] = folder
        import django

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        django.setup()
        figures["locate_seconds"] = round(min(locate(args.points) for _ in range(3)), 3)
        figures["points"] = args.points
        if args.features:
            path = Path(folder) / "big.geojson"
            write_file(path, args.features)
            figures["file_mb"] = round(path.stat().st_size / 1e6)
            figures["nothing"] = child("migrate", "-v", "0")
            child("create_community", "bench", "Bench")
            options = [str(path), "--community", "bench"]
            figures["check"] = child("import_buildings", *options, "--dry-run")
            figures["import"] = child("import_buildings", *options)
            figures["again"] = child("import_buildings", *options)
    figures["self_peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
