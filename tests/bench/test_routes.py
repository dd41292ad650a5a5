"""Arc-routing files of both formats, and the report on them."""

import json

import pytest

from bench import routes

PLAIN = """4
5
0 1 3 2
1 2 4 2
2 3 3 2
3 0 4 2
0 2 6 0
2
4
14
20
"""
LABELLED = """NOMBRE : square
COMENTARIO : 20 (cota superior)
VERTICES : 4
ARISTAS_REQ : 4
ARISTAS_NOREQ : 1
VEHICULOS : 2
CAPACIDAD : 4
TIPO_COSTES_ARISTAS : EXPLICITOS
COSTE_TOTAL_REQ :  14
LISTA_ARISTAS_REQ :
 ( 1, 2)   coste 3    demanda 2
 ( 2, 3)   coste 4    demanda 2
 ( 3, 4)   coste 3    demanda 2
 ( 4, 1)   coste 4    demanda 2
LISTA_ARISTAS_NOREQ :
 ( 1, 3)   coste 6
DEPOSITO :   3
"""


def run(tmp_path, text, *words):
    path, out = tmp_path / "x.dat", tmp_path / "out.json"
    path.write_text(text)
    assert routes.main([str(path), "--json", str(out), *words]) == 0
    return json.loads(out.read_text())


def test_plain_numbers(tmp_path):
    found = run(tmp_path, PLAIN)
    assert found["cost"] == 26
    assert found["valid"] is True
    assert len(found["tours"]) == found["vehicles"] == 2
    for tour in found["tours"]:
        assert tour["walk"][0] == tour["walk"][-1] == 0
        assert tour["load"] <= 4
    served = [sorted(edge) for tour in found["tours"] for edge in tour["served"]]
    assert sorted(served) == [[0, 1], [0, 3], [1, 2], [2, 3]]


def test_vertices_counted_from_one(tmp_path):
    lines = PLAIN.split("\n")
    lines[2:7] = ["1 2 3 2", "2 3 4 2", "3 4 3 2", "4 1 4 2", "1 3 6 0"]
    found = run(tmp_path, "\n".join(lines))
    assert found["depot"] == 1
    assert found["cost"] == 26


def test_headers_with_a_depot_of_their_own(tmp_path):
    found = run(tmp_path, LABELLED)
    assert found["instance"] == "square"
    assert found["depot"] == 3
    assert found["upper_in_file"] == 20
    assert found["cost"] == 26
    assert all(tour["walk"][0] == tour["walk"][-1] == 3 for tour in found["tours"])


def test_the_unrequired_edge_is_walked_where_it_helps(tmp_path):
    found = run(tmp_path, LABELLED.replace("coste 6", "coste 1"))
    assert found["cost"] == 16


@pytest.mark.parametrize(
    "text",
    ["", "hello", "4\n5\n0 1 3 2\n", "4\n1\n0 9 3 2\n1\n5\n", "VERTICES : 3\nDEPOSITO : 1\n"],
)
def test_what_is_no_instance_is_said(tmp_path, capsys, text):
    path = tmp_path / "bad.dat"
    path.write_text(text)
    assert routes.main([str(path)]) == 2
    assert "bad.dat" in capsys.readouterr().err


def test_cells_of_the_demo_town_are_drawn_without_fault():
    found = routes.cells_of_demo(seed=1, cells=2)
    assert found["valid"] == 1
    assert len(found["seconds"]) == 2
    assert 0 < found["deadhead_share_single"] <= found["deadhead_share_tours"] < 1


def test_a_made_up_instance_is_within_reach_of_its_bound():
    assert 0 <= routes.made_up(1, effort=0.05) < 0.2
