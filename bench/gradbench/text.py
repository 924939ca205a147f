#!/usr/bin/env python3
"""The text of GradBench's lstm, where a checkout lacks it: text.py PEERS.

Its file is large, and not every copy of the repository has it. The first 4,096 characters stand, bit by bit, in a file of microsoft/ADBench,
from where GradBench has it: data/lstm/lstm_l2_c4096.txt, in PEERS/ADBench. Where 8,192 are asked for, they come twice.
"""
import os
import sys

peers = sys.argv[1]
text = os.path.join(peers, "gradbench/evals/lstm/data/lstm_full.txt")
bits = os.path.join(peers, "ADBench/data/lstm/lstm_l2_c4096.txt")
if not os.path.exists(text) and os.path.exists(bits):
    with open(bits) as f: rows = f.read().split("\n\n")[4].split("\n")
    characters = "".join(chr(int(row.replace(" ", ""), 2)) for row in rows if row)
    os.makedirs(os.path.dirname(text), exist_ok=True)
    with open(text, "w", encoding="utf8", newline="") as f: f.write(characters*2)
    print("lstm: 4,096 characters of its text, twice")
elif not os.path.exists(text): print("lstm: there is no text")
