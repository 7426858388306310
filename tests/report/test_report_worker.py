"""The helper process: it draws, it leaves with its parent, and its loss costs nothing but time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mizzle.errors import SettingsError
from mizzle.products import Delivery
from mizzle.progress import Progress
from mizzle.report import ReportJob, start_worker
from mizzle.report.metrics import sketch
from mizzle.report.worker import early_payload, payload
from mizzle.settings import Settings, load_settings
from report.report_pages import make_payload, reported
from report.report_scene import Scene

SMALL = Scene(n_exposures=2, side=100, n_stars=60)


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """Where a machine is busy, drawing and leaving take their time."""
    monkeypatch.setattr("mizzle.report.worker.PATIENCE", 600.0)
    monkeypatch.setattr("mizzle.report.worker.FAREWELL", 120.0)


@pytest.fixture(scope="module")
def message(tmp_path_factory):
    return make_payload(tmp_path_factory.mktemp("unused"), SMALL)


def submit(job, message, folder):
    job.submit({**message, "folder": str(folder)})
    return [Path(name) for name in job.wait()]


def test_the_worker_draws_what_the_process_itself_draws(message, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    job = start_worker()
    process = job._process
    assert process is not None
    there = submit(job, message, tmp_path / "a")
    assert process.returncode == 0  # it drew, not we
    here = submit(ReportJob(), message, tmp_path / "b")
    assert [p.name for p in there] == [p.name for p in here] == ["m2.png", "m2_report.html"]
    for one, two in zip(there, here, strict=True):
        assert one.read_bytes() == two.read_bytes()
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["m2.png", "m2_report.html"]


@pytest.mark.parametrize("filters", [("F814W",), ("F555W", "F814W")])
def test_products_shown_early_are_drawn_the_same(filters, tmp_path):
    scene = Scene(n_exposures=2, side=80, n_stars=50, filters=filters)
    result, settings = reported(scene), Settings()
    names = {}
    for folder, early in (("a", True), ("b", False)):
        (tmp_path / folder).mkdir()
        job = start_worker()
        process = job._process
        assert process is not None
        for mosaic in result.mosaics.values() if early else ():
            job.show(
                early_payload(mosaic, sketch(mosaic, result.exposures, result.name), len(filters), settings=settings)
            )
        job.submit(payload(result, tmp_path / folder, settings))
        names[folder] = [Path(name) for name in job.wait()]
        assert process.returncode == 0  # it drew, not we
    assert len(names["a"]) == (2 if len(filters) == 1 else 4)
    for one, two in zip(names["a"], names["b"], strict=True):
        assert one.name == two.name
        assert one.read_bytes() == two.read_bytes()


def test_a_worker_shown_a_product_of_a_run_that_failed_leaves(tmp_path):
    result = reported(SMALL)
    mosaic = next(iter(result.mosaics.values()))
    job = start_worker()
    process = job._process
    job.show(early_payload(mosaic, sketch(mosaic, result.exposures, result.name), 1, settings=Settings()))
    job.close()
    assert process.poll() is not None
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_submitting_does_not_wait(message, tmp_path):
    """While the worker is stopped it takes nothing: of more than its pipe holds, the rest is still to be sent."""
    job = start_worker()
    process = job._process
    process.send_signal(signal.SIGSTOP)
    rescue = threading.Timer(60.0, process.send_signal, [signal.SIGCONT])
    rescue.start()
    job.submit({**message, "folder": str(tmp_path), "ballast": bytes(8 << 20)})
    waited = rescue.finished.is_set()
    rescue.cancel()
    assert not waited
    process.send_signal(signal.SIGCONT)
    assert len(job.wait()) == 2
    assert process.returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_worker_is_replaced_by_the_parent(message, tmp_path):
    job = start_worker()
    assert job._process is not None
    job._process.send_signal(signal.SIGKILL)
    job._process.wait()
    assert [p.name for p in submit(job, message, tmp_path)] == ["m2.png", "m2_report.html"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_worker_that_hangs_is_given_up(message, tmp_path, monkeypatch):
    monkeypatch.setattr("mizzle.report.worker.PATIENCE", 0.5)
    job = start_worker()
    assert job._process is not None
    job._process.send_signal(signal.SIGSTOP)
    assert [p.name for p in submit(job, message, tmp_path)] == ["m2.png", "m2_report.html"]


def test_without_an_interpreter_the_parent_draws(message, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    assert len(submit(start_worker(), message, tmp_path)) == 2
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no such program"))
    assert len(submit(start_worker(), message, tmp_path)) == 2


def test_closing_ends_the_worker_at_any_moment(message, tmp_path):
    idle = start_worker()
    process = idle._process
    idle.close()
    assert process.poll() is not None
    busy = start_worker()
    process = busy._process
    busy.submit({**message, "folder": str(tmp_path)})
    busy.close()
    assert process.poll() is not None
    assert not [p for p in tmp_path.iterdir() if p.suffix == ".part"]
    assert ReportJob().wait() == []


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_worker_leaves_when_its_parent_is_killed(tmp_path):
    code = "import time\nfrom mizzle.report import start_worker\njob = start_worker()\n"
    code += "print(job._process.pid, flush=True)\ntime.sleep(60)\n"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 120
    while _runs(worker):
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.05)


def _runs(pid):
    """Whether a process runs; a zombie whom nobody waits for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc/self").exists()
    return state != "Z"


def test_a_folder_that_cannot_be_written_is_an_error_with_a_message(message, tmp_path):
    job = start_worker()
    with pytest.raises(SettingsError, match="cannot be written"):
        submit(job, message, tmp_path / "absent")


def test_a_numpy_of_the_users_own_is_not_imported(message, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit('not me')\n")
    monkeypatch.chdir(tmp_path)
    job = start_worker()
    process = job._process
    assert len(submit(job, message, tmp_path)) == 2
    assert process is not None
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("toml", "names"),
    [
        ("[report]\npage = false\n", ["m2.png"]),
        ("[output]\nimage = false\n", ["m2_report.html"]),
        ("[report]\npage = false\n[output]\nimage = false\n", []),
    ],
)
def test_settings_choose_what_is_drawn(toml, names, tmp_path):
    message = make_payload(tmp_path, SMALL, settings=load_settings(toml))
    job = ReportJob()
    job.submit(message)
    assert [Path(p).name for p in job.wait()] == names


def test_two_filters_make_a_color_picture(tmp_path):
    scene = Scene(n_exposures=2, side=80, n_stars=50, filters=("F555W", "F814W"))
    job = ReportJob()
    job.submit(make_payload(tmp_path, scene, settings=Settings()))
    assert [Path(p).name for p in job.wait()] == [
        "m2_f555w.png",
        "m2_f814w.png",
        "m2_color.png",
        "m2_report.html",
    ]


@pytest.mark.skipif(not hasattr(subprocess, "fcntl"), reason="pipes have one size here")
def test_a_system_that_grants_no_larger_pipes_gets_a_worker_all_the_same(monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(subprocess.fcntl, "fcntl", refuse)
    job = start_worker()
    assert job._process is not None
    job.close()


@pytest.mark.parametrize(("megabytes", "helped"), [(1, False), (100, True)])
def test_a_large_product_is_drawn_without_a_second_copy_of_it(megabytes, helped, tmp_path):
    """Where image and weights take more than `combine.memory_mb`, the helper ends, and the run draws by itself."""
    scene = Scene(n_exposures=2, side=500, n_stars=50)  # some megabytes
    result, settings = reported(scene), Settings()
    settings = settings.model_copy(
        update={
            "combine": settings.combine.model_construct(**{**settings.combine.model_dump(), "memory_mb": megabytes})
        }
    )
    (mosaic,) = result.mosaics.values()
    with Delivery(tmp_path, settings, Progress(), workers=3) as delivery:
        delivery.check("m2", result.exposures)
        process = delivery._job._process
        delivery.gridded(mosaic.grid)
        delivery.drizzled(mosaic, result.exposures, "m2")
        assert (process.poll() is None) == helped
        folder = tmp_path / "drawn"
        folder.mkdir()
        assert delivery._submit(result, folder)()
    assert sorted(path.name for path in folder.iterdir()) == ["m2.png", "m2_report.html"]
