"""Programs that answer GradBench's messages: Chainrule's adapter and GradBench's own tools."""
import functools
import json
import os
import select
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


class Process:
    """A program that reads and writes a line of JSON each."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)

    def read(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def write(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def ask(self, message):
        self.write(message)
        return self.read() or {"id": message["id"], "success": False, "error": "the tool ended"}

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def python_path(gradbench):
    return os.path.join(gradbench, "python/gradbench")


def processor_time(folder):
    """A library that makes programs tell processor time."""
    library = os.path.join(folder, "processor_time.so")
    source = os.path.join(HERE, "processor_time.c")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", source, "-o", library], check=True)
    return {"LD_PRELOAD": library}


class Tool:
    """One of GradBench's: a program for each eval that was built in C++, or a module for each in Python."""

    def __init__(self, name, gradbench, limit, environment):
        self.name, self.gradbench, self.limit = name, gradbench, limit
        self.environment = environment | {"PYTHONPATH": python_path(gradbench), "OMP_NUM_THREADS": "1"}
        self.module = os.path.join(python_path(gradbench), "gradbench/tools", name)
        self.process = None

    def program(self, name):
        """Of an eval; None: it is in Python, or was not built."""
        path = os.path.join(self.gradbench, "tools", self.name, "bin", name)
        return path if os.path.exists(path) else None

    @functools.cached_property
    def is_built(self):
        if os.path.isdir(os.path.join(self.gradbench, "tools", self.name, "bin")): return True
        package = "torch" if self.name == "pytorch" else self.name
        return subprocess.run([sys.executable, "-c", f"import {package}"], stderr=subprocess.DEVNULL).returncode == 0

    def ask(self, message):
        """The answer to a message, or what stands in its place: "", the tool has no such eval; or why it was not measured. What stays is asked
        twice: JAX compiles in its first call, PyTorch allocates."""
        if not self.is_built: return "not measured"
        name = message["module"]
        if self.program(name): return self.run(self.program(name), message)
        if not os.path.exists(os.path.join(self.module, name + ".py")) or self.name == "tapenade": return ""
        if self.process is None: self.start(name)
        once = message["input"]
        if isinstance(once, dict): once = once | {"min_runs": 1, "min_seconds": 0}
        first = self.answer(message | {"input": once})
        return self.answer(message) if isinstance(first, dict) else first

    def start(self, name):
        """A module's libraries are loaded before it is asked, as GradBench does it: that takes seconds, which are not the message's."""
        waits = [os.path.join(HERE, "jax_waits.py")] if self.name == "jax" else []
        self.process = Process([sys.executable, *waits, os.path.join(self.module, "run.py")], cwd=self.gradbench,
                               stderr=subprocess.DEVNULL, env=os.environ | self.environment)
        self.process.ask({"id": 0, "kind": "define", "module": name})

    def answer(self, message):
        """Of the process; or why there is none."""
        self.process.write(message)
        in_time = select.select([self.process.process.stdout], [], [], self.limit)[0]
        answer = self.process.read() if in_time else None
        if answer is None: self.close()
        return answer or ("fails" if in_time else f"none in {self.limit:g} s")

    def run(self, program, message):
        with tempfile.NamedTemporaryFile("w") as file:
            json.dump(message["input"], file)
            file.flush()
            try:
                done = subprocess.run([program, file.name, message["function"]], text=True, capture_output=True,
                                      cwd=self.gradbench, timeout=self.limit, env=os.environ | self.environment)
            except subprocess.TimeoutExpired:
                return f"none in {self.limit:g} s"
        if done.returncode: return "fails"
        return {"timings": [json.loads(line) for line in done.stdout.splitlines()[1:]]}

    def close(self):
        if self.process: self.process.process.kill()
        self.process = None
