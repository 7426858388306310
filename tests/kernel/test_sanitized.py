"""The C code under the address and undefined-behavior sanitizers, fed with wild maps."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src" / "mizzle" / "kernel" / "src"


def test_no_input_breaks_the_native_kernel(tmp_path):
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None or not SOURCES.is_dir():
        pytest.skip("no compiler, or no sources, to build a checked kernel with")
    program = tmp_path / "fuzz"
    build = [compiler, "-O0", "-g", "-std=gnu11", "-ffp-contract=off", "-fno-sanitize-recover=all"]
    build += ["-fsanitize=address,undefined,float-cast-overflow", f"-I{SOURCES}"]
    build += [str(Path(__file__).with_name("fuzz_kernel.c")), *map(str, sorted(SOURCES.glob("*.c")))]
    built = subprocess.run([*build, "-lm", "-o", str(program)], capture_output=True, text=True, check=False)
    if built.returncode != 0 and "sanitize" in built.stderr:
        pytest.skip("this compiler has no sanitizers")
    assert built.returncode == 0, built.stderr
    ran = subprocess.run([str(program), "3000"], capture_output=True, text=True, check=False, timeout=1800)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "3000 rounds" in ran.stdout
