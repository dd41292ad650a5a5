"""Tonight's coverage on the map."""

from datetime import timedelta

from patrols.shifts.map_layer import marks_of_tonight
from tests.factories import NOW, ShiftFactory, Town, take


def test_a_cell_is_marked_by_tonights_seats(town: Town) -> None:
    shift = ShiftFactory(community=town.community, cell=town.cells[0])
    ShiftFactory(community=town.community, cell=town.cells[1], starts_at=NOW + timedelta(days=2))
    first, second, _ = shift.seats.order_by("index")
    take(first, town.volunteers[0])
    take(second, town.volunteers[1], state="checked_in")
    marks = marks_of_tonight([town.community], NOW)
    assert set(marks) == {town.cells[0].pk}
    mark = marks[town.cells[0].pk]
    assert mark.share == 2 / 3
    assert "2" in mark.text
    assert "1" in mark.text
