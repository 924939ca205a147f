#!/usr/bin/env python3
"""What bench/run.py says under a table, and its column of floors, for sides whose times are given: standing.py."""
import importlib.util
import os
import types

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench", "run.py")
spec = importlib.util.spec_from_file_location("run", path)
run = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run)


def side(label, role, found, threads=1): return types.SimpleNamespace(label=label, role=role, found=found, threads=threads, process=bool(found) or None, why="not built")


SIDES = [side("C (1 thread)", "reference", [200.0, 20.0, 210.0]), side("floor (bytes)", "floor", [100.0, 10.0, 100.0]), side("floor (bytes, 2 threads)", "floor", [50.0, 5.0, 60.0], 2),
         side("slow", "peer", [900.0, 90.0, 900.0]), side("quick 1.2 (x)", "peer", [400.0, 40.0, 400.0]), side("gone", "peer", []),
         side("Chainrule (a)", "own", [300.0, 30.0, 300.0]), side("Chainrule (b)", "own", [240.0, 20.0, 250.0]), side("Chainrule emit", "own", [220.0, 22.0, 210.0]),
         side("Chainrule (c)", "own", [150.0, 15.0, 150.0], 2)]


def expect(found, wanted): assert found == wanted, f"found {found!r}, expected {wanted!r}"


# The median of the ratios within each round, not the ratio of medians; the best of our ways beside the best of others, by threads.
expect(list(run.standing(SIDES)), [
    "Chainrule on 1 thread, the best of its ways: 0.6 x the best peer, quick 1.2 (x); 1.19 x C; 2.4 x its floor.",
    "Chainrule emit on 1 thread, the best of its ways: 0.55 x the best peer, quick 1.2 (x); 1.1 x C; 2.2 x its floor.",
    "Chainrule on 2 threads, the best of its ways: 3 x its floor."])
expect(list(run.standing([side("Chainrule (anew)", "own", [5.0])])), [])
expect(list(run.no_reference(SIDES, False)), ["C (1 thread): no reference here, since above 1.3 x its floor."])
expect(list(run.no_reference(SIDES, True)), [])
expect(list(run.no_reference([side("C", "reference", [129.0]), side("floor", "floor", [100.0])], False)), [])

rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in run.table(SIDES, run.COLUMNS["run"]).splitlines()]
expect(rows[0], ["", "median", "fastest", "ratio", "to floor"])
expect([r[-1] for r in rows[2:]], ["2", "1", "1", "9", "4", "", "3", "2.4", "2.2", "3"])
expect([r[1] for r in rows if r[0] == "gone"], ["not measured"])

# What a step of the MLP can't do without: its products; with one example, Adam beside its state.
expect(run.mlp_least(128)["fma"], 128 * (2 * 535040 + 133632))
expect(run.mlp_least(1), {"again": 4 * 535040, "update": 12 * 535818, "fma": 535040, "adam": 535818})
