"""What findings say to people: what is wrong where, and what to do about it.

Apps above add their own codes to WORDS.
"""

from collections.abc import Iterable

from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext_noop as _

from grids.places.findings import Finding, Level

_OUTLINE = _("Draw the outline again, or correct it in a map program (“fix geometries”).")
_EXPORT = _("Save the file again as GeoJSON, in UTF-8 and EPSG:4326 (WGS84).")
_NUMBER = _("Write a whole number, or leave it empty.")

# code → (what is wrong, what to do)
WORDS: dict[str, tuple[str, str]] = {
    # The file as a whole.
    "no_file": (_("There is no such file."), _("Check the name.")),
    "cannot_open": (_("The file can't be read: %(reason)s."), _("Check the file.")),
    "empty_file": (_("The file is empty."), _EXPORT),
    "no_features": (_("The file holds no features: there is nothing to import."), _EXPORT),
    "utf16": (_("The file is not UTF-8 but UTF-16."), _EXPORT),
    "not_utf8": (_("The file is not UTF-8."), _EXPORT),
    "packed": (_("The file is a packed archive."), _("Unpack it first.")),
    "cut_off": (_("The file is not JSON to its end: it is cut off."), _("Copy or save it again.")),
    "no_json": (_("The file is not JSON: %(reason)s."), _EXPORT),
    "not_a_number": (
        _("The file is not JSON: %(text)s is not a number that GeoJSON allows."),
        _("Remove the feature, or give it real coordinates."),
    ),
    "number_too_large": (_("A number is too large."), _("Correct it, or leave it out.")),
    "too_deep": (
        _("The file is not JSON that can be read: brackets are nested too deep."),
        _EXPORT,
    ),
    "feature_too_large": (
        _("One feature is larger than 32 MB."),
        _("Simplify it in a map program."),
    ),
    "outline_too_large": (
        _("There is too much in the file beside the features."),
        _("Save the features alone."),
    ),
    "no_collection": (
        _("The file must be a GeoJSON object of type “FeatureCollection”."),
        _EXPORT,
    ),
    "features_twice": (_("“features” is there twice."), _EXPORT),
    "features_no_list": (_("“features” must be a list."), _EXPORT),
    "other_crs": (
        _("The coordinates are in %(name)s."),
        _("Save the file in EPSG:4326 (WGS84)."),
    ),
    # One feature.
    "no_feature": (_("This is not an object of type “Feature”."), _EXPORT),
    "properties_no_object": (_("“properties” must be an object."), _EXPORT),
    "no_id": (
        _("There is no “id”, neither in the properties nor in the feature."),
        _("Give each feature an id of its own that stays the same."),
    ),
    "id_twice": (
        _("The id %(id)s was used by feature %(first)s."),
        _("Remove one of the two, or give it another id."),
    ),
    "no_text": (_("This must be text."), _("Write it as text, or leave it out.")),
    "text_too_long": (_("This is longer than %(longest)s characters."), _("Shorten it.")),
    "no_number": (_("%(value)s is not a number."), _NUMBER),
    "no_count": (_("%(value)s must be a whole number from 0 to 32767."), _NUMBER),
    "no_geometry": (
        _("There is no geometry."),
        _("Draw it on the map, or remove the feature."),
    ),
    "geometry_empty": (
        _("The geometry is empty."),
        _("Draw it on the map, or remove the feature."),
    ),
    "geometry_unreadable": (_("The geometry can't be read: %(reason)s."), _OUTLINE),
    "coordinates_no_lists": (_("The coordinates are not lists of numbers."), _EXPORT),
    "coordinates_no_numbers": (_("A coordinate is not a number."), _EXPORT),
    "position_too_short": (_("A position has fewer than two numbers."), _EXPORT),
    "coordinate_not_finite": (_("A coordinate is not a finite number."), _EXPORT),
    "too_many_positions": (
        _("The geometry has more than %(most)s points."),
        _("Simplify it in a map program."),
    ),
    "axes_swapped": (
        _("Latitude %(latitude)s is beyond 90: the axes look swapped."),
        _("Write longitude first, or import with “swap axes” (--swap)."),
    ),
    "in_metres": (
        _("(%(x)s, %(y)s) is not in degrees but looks like metres (EPSG:3857 or a national grid)."),
        _("Save the file in EPSG:4326 (WGS84)."),
    ),
    "not_in_degrees": (
        _("(%(x)s, %(y)s) is not in degrees."),
        _("Save the file in EPSG:4326 (WGS84)."),
    ),
    "wrong_type_area": (
        _("This must be a Polygon or MultiPolygon, not %(found)s."),
        _("Draw the outline, or remove the feature."),
    ),
    "wrong_type_street": (
        _("A street must be a LineString or MultiLineString, not %(found)s."),
        _("Draw the centre line, or remove the feature."),
    ),
    "ring_too_short": (_("An outline has fewer than three different points."), _OUTLINE),
    "line_too_short": (_("A line has fewer than two different points."), _OUTLINE),
    "no_area": (_("The outline encloses no area."), _OUTLINE),
    "unknown_community": (
        _("No community here has the code or name %(id)s."),
        _("Write the community's code in the property “code”, or add the community first."),
    ),
    # Repaired or worth a look.
    "ring_closed": (_("An outline was not closed; repaired."), ""),
    "outline_repaired": (_("The outline crossed itself; repaired."), _("Look at it on the map.")),
    "altitude": (_("%(count)s features had heights, which were left out."), ""),
    "same_outline": (
        _("The outline is the same as that of feature %(first)s."),
        _("Remove one of the two if they are the same thing."),
    ),
    "no_households": (
        _("No building has households."),
        _("Cells are drawn from the property “dwellings” (or “dwellings_est”)."),
    ),
    "axes_swapped_here": (
        _("The data lie %(kilometres)s km away, and would lie here with swapped axes."),
        _("Write longitude first, or import with “swap axes” (--swap)."),
    ),
    "far_away": (
        _("The data lie %(kilometres)s km (%(direction)s) from what is there already."),
        _("Check the file and the community."),
    ),
    "shifted": (
        _("The data look shifted by %(metres)s m (%(direction)s) against what is there already."),
        _("They fit when read as %(datum)s: import with that datum (--datum %(option)s)."),
    ),
    "moved": (
        _("Things known by their id lie %(metres)s m (%(direction)s) from where they are now."),
        _("No known datum explains it: check the source before importing."),
    ),
}
DATUM_NAMES = {"wgs84": "WGS84", "gcj02": "GCJ-02", "bd09": "BD-09"}
LEVEL_NAMES: dict[Level, Promise] = {
    Level.ERROR: gettext_lazy("Error"),
    Level.DUPLICATE: gettext_lazy("Duplicate"),
    Level.WARNING: gettext_lazy("Please check"),
    Level.REPAIRED: gettext_lazy("Repaired"),
}


def what(finding: Finding) -> str:
    """Say what is wrong."""
    return gettext(WORDS[finding.code][0]) % finding.facts


def todo(finding: Finding) -> str:
    """Say what to do about it; "" where nothing need be done."""
    text = WORDS[finding.code][1]
    return gettext(text) % finding.facts if text else ""


def line(finding: Finding, *, unit: str) -> str:
    """Say it in one line, as commands print it: row, column, what is wrong, what to do."""
    place = f"{unit} {finding.row}" if finding.row else ""
    if finding.column:
        place += f"{', ' if place else ''}column {finding.column}"
    return f"{place + ': ' if place else ''}{what(finding)} {todo(finding)}".strip()


def table(findings: Iterable[Finding], *, name: str) -> list[list[str | int]]:
    """Return the report's rows for a spreadsheet, with a header."""
    header = [
        gettext("File"),
        gettext("Row"),
        gettext("Column"),
        gettext("How grave"),
        gettext("What"),
        gettext("What to do"),
    ]
    return [
        list(header),
        *(
            [name, one.row or "", one.column, str(LEVEL_NAMES[one.level]), what(one), todo(one)]
            for one in findings
        ),
    ]
