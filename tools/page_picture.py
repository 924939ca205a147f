#!/usr/bin/env python3
"""Makes README's picture of the worked example's page anew, in Chromium: page_picture.py PROGRAM docs/page.png"""
import os
import subprocess
import sys
import tempfile

from browser import Browser

program, out = os.path.abspath(sys.argv[1]), sys.argv[2]
with tempfile.TemporaryDirectory() as folder, Browser() as b:
    page = os.path.join(folder, "page.html")
    subprocess.run([program, "explain", "loss = (w*x - y)^2", "w=1", "x=1", "y=2", "--wrt", "w", "--html", page], check=True)
    b.size(1200, 860)
    b.open("file://" + page)
    b.run("picture.direction = 0; redraw(); go(10); document.activeElement.blur()")
    b.screenshot(out)
