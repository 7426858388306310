"""The pages are true about the code: commands parse, settings exist, signatures agree, links lead somewhere."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import mizzle
from docs_pages import DOCS, PAGES, ROOT, agrees, blocks, commands, load_tool, run_examples, without_blocks
from mizzle.settings import Settings, load_settings

ALL_COMMANDS = [(page.name, words) for page in PAGES for words in commands(page.read_text(encoding="utf-8"))]


def test_there_are_commands_to_check():
    assert len(ALL_COMMANDS) > 50
    assert {words[0] for _, words in ALL_COMMANDS} >= {"run", "demo", "plan", "inspect", "settings", "simulate"}


@pytest.mark.parametrize(("page", "words"), ALL_COMMANDS, ids=lambda value: " ".join(value) if value else "")
def test_every_command_of_the_pages_is_one(page: str, words: list[str]):
    from typer.main import get_command

    from mizzle.cli.app import app
    from mizzle.cli.simulate import merged
    from mizzle.simulate.plan import make_plan

    known: Any = get_command(app)
    assert words[0] in known.commands, page
    context = known.commands[words[0]].make_context(words[0], list(words[1:]))
    given = list(context.params.get("assignments") or [])
    if words[0] == "simulate":
        make_plan(**merged({}, given))
    else:
        load_settings("", given)


def test_a_wrong_command_would_be_noticed():
    from typer.main import get_command

    from mizzle.cli.app import app

    (words,) = commands("```sh\nmizzle run m2 --no-such-option   # comment\n```\n")
    known: Any = get_command(app)
    with pytest.raises(Exception, match=r"[Nn]o such option"):
        known.commands["run"].make_context("run", words[1:])


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.name not in ("architecture.md", "settings.md")], ids=lambda p: p.name
)
def test_every_setting_named_in_the_text_exists(page: Path):
    settings = Settings()
    text = without_blocks(page.read_text(encoding="utf-8"))
    for code in re.findall(r"`([^`\n]+)`", text):
        match = re.fullmatch(r"([a-z]+)\.([a-z_0-9]+)(\s*=.*)?", code)
        if match is None or match[1] not in Settings.model_fields or match[2] in ("md", "html", "json"):
            continue
        section = getattr(settings, match[1])
        inside = hasattr(importlib.import_module("mizzle"), match[1]) and _is_code(match[1], match[2])
        assert match[2] in type(section).model_fields or inside, f"{page.name}: {code}"
        if match[3] and match[2] in type(section).model_fields and "…" not in code:
            load_settings("", [code.replace("'", '"')])


def _is_code(room: str, name: str) -> bool:
    """Tell whether `name` is a module or function of a package that is called like a section."""
    try:
        module = importlib.import_module(f"mizzle.{room}")
    except ModuleNotFoundError:
        return False
    return hasattr(module, name) or (Path(module.__file__ or "").parent / f"{name}.py").exists()


def test_the_settings_page_is_fresh():
    page = load_tool("make_settings_page").settings_page()
    assert (DOCS / "settings.md").read_text(encoding="utf-8") == page, "run tools/make_settings_page.py"
    for section, model in Settings.model_fields.items():
        assert f"\n## {section}\n" in page
        for key in model.annotation.model_fields:
            assert f"\n| `{key}` |" in page


def test_the_house_has_the_interfaces_that_its_plan_shows():
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    (block,) = [source for language, source in blocks(text) if language == "python"]
    shown = re.findall(r"^([a-z][\w.]*\.\w+)\(([^()]*(?:\([^()]*\)[^()]*)*)\)", block, re.MULTILINE)
    assert len(shown) > 15
    for name, arguments in shown:
        module, _, function = name.rpartition(".")
        real = getattr(importlib.import_module(f"mizzle.{module}"), function)
        names = [p.name for p in inspect.signature(real).parameters.values()]
        words = [re.split(r"[=:]", part)[0].strip() for part in re.split(r",\s*(?![^(]*\))", arguments) if part.strip()]
        wanted = [word.lstrip("*") for word in words if word not in ("*", "...")]
        assert wanted == names[: len(wanted)] or set(wanted) <= set(names), f"{name}: page {wanted}, code {names}"
        if "..." not in words:
            assert len(wanted) == len(names), f"{name}: page {wanted}, code {names}"


def test_every_step_is_a_neighbor_and_on_the_plan():
    folder = Path(mizzle.__file__).parent / "steps"
    steps = {path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"}
    steps -= {"__init__", "__pycache__", "chip_view"}
    linter = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split('name = "steps are neighbors')[1]
    plan = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for step in steps:
        assert f'"mizzle.steps.{step}"' in linter.split("[[")[0], step
        assert f"steps.{step}" in plan, step


def test_the_floors_shown_are_those_of_the_linter():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = next(c["layers"] for c in project["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    shown = " → ".join(layer.replace("mizzle.", "") for layer in layers)
    assert shown in " ".join(text.split())


#: Every parameter of updatewcs, TweakReg, photeq, AstroDrizzle and skymatch, and the choices that are words.
INCUMBENT = """
    all_wcs aux_phot_kwd binwidth blot blot_addsky blot_interp blot_sinscl blot_skyval build checkfiles clean
    clobber coeffs combine_grow combine_maskpt combine_nhigh combine_nlow combine_nsigma combine_type computesig
    context conv_width crbit d2imcorr dqbits driz_cr driz_cr_corr driz_cr_ctegrow driz_cr_grow driz_cr_scale
    driz_cr_snr driz_sep_bits driz_sep_fillval driz_sep_kernel driz_sep_pixfrac driz_sep_scale driz_sep_wcs
    driz_sep_wt_scl enforce_user_order errext expand_refcat files final_bits final_crpix1 final_dec final_fillval
    final_kernel final_outnx final_outny final_pixfrac final_ra final_refimage final_rot final_scale final_units
    final_wcs final_wht_type final_wt_scl fitgeometry fluxmax fluxmin general globalmin in_memory input interactive
    lanczos3 localmin logfile match match_down median minmed minobj nclip npolcorr nsigma num_cores output
    overwrite peakmax peakmin phot_kwd preserve proc_unit ratio readonly ref_phot ref_phot_ext remove_duplicates
    resetbits residplot restore reusename roundhi roundlo rscale rules_file sciext search_primary searchrad
    see2dplot separation sharphi sharplo sigma skyclip skylsigma skymask_cat skymethod skysigma skystat skysub
    skyusigma skywidth static static_sig stepsize tddcorr theta threshold tolerance updatehdr use2dhist use_db
    use_sharp_round vacorr wcsname writecat xoffset yoffset
"""


def test_the_page_for_newcomers_names_every_old_parameter():
    text = (DOCS / "from_drizzlepac.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ") and line.count("|") >= 4]
    named = {word for row in rows for code in re.findall(r"`([^`]+)`", row) for word in re.findall(r"[\w+]+", code)}
    known = INCUMBENT.split()
    assert len(known) > 130
    assert [name for name in known if name not in named] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            continue
        path = page.parent / target.split("#")[0]
        notebook = path.with_suffix(".ipynb")
        assert path.exists() or (path.suffix == ".md" and notebook.exists()), f"{page.name}: {target}"


def test_every_page_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r": (\S+\.md)$", text, re.MULTILINE))
    pages = [*DOCS.rglob("*.md"), *DOCS.glob("*.ipynb")]
    there = {path.with_suffix(".md").relative_to(DOCS).as_posix() for path in pages}
    assert listed == there


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


def test_the_examples_of_the_python_page_give_what_they_show(workspace: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(workspace)
    results = run_examples((DOCS / "api.md").read_text(encoding="utf-8"), {})
    assert len(results) > 8
    for source, promised, real in results:
        assert agrees(promised, real), f"{source}\npromised:\n{promised}\nreal:\n{real}"
    # The README's example works on the same exposures, from their own folder.
    monkeypatch.chdir(workspace / "m2")
    namespace: dict[str, Any] = {}
    run_examples((ROOT / "README.md").read_text(encoding="utf-8"), namespace)
    assert namespace["result"].name == "m2"


def test_the_examples_of_the_recipes_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import mizzle
    from mizzle import simulate

    monkeypatch.chdir(tmp_path)
    red = simulate.visit(n=2, seed=5, density=150.0)
    blue = simulate.visit(n=2, seed=6, field="list", stars=red.stars, filter="F555W", root="ua0606")
    for visit in (red, blue):
        simulate.write_visit(visit, "m2")
    settings = mizzle.load_settings("", ["output.exposures=true", "report.page=false"])
    mizzle.run(["m2"], out="out", name="m2", settings=settings)
    text = (DOCS / "howto.md").read_text(encoding="utf-8")
    tried = 0
    for language, source in blocks(text):
        if language != "python" or ("photutils" in source and importlib.util.find_spec("photutils") is None):
            continue
        namespace: dict[str, Any] = {}
        run_examples(f"```python\n{source}```\n", namespace)
        tried += 1
        if "pair" in namespace:
            assert namespace["pair"].sum() > 50
    assert tried >= 3


def test_agreement_of_outputs_knows_wildcards():
    assert agrees("323.36... True", "323.3612 True")
    assert not agrees("323.36... True", "323.3612 False")
    assert not agrees("1.0", "110")


@pytest.mark.slow
def test_every_run_of_the_recipes_ends_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each ``mizzle run`` of the recipes, as it stands there, on a visit with the files that they name."""
    from mizzle import simulate
    from mizzle.cli import main

    monkeypatch.chdir(tmp_path)
    visit = simulate.visit(n=2, seed=7)
    simulate.write_visit(visit, "m2")
    stars = visit.truth.stars
    rows = [f"{ra:.7f},{dec:.7f}" for ra, dec in zip(stars.ra, stars.dec, strict=True)]
    Path("mystars.csv").write_text("\n".join(["ra,dec", *rows]) + "\n", encoding="utf-8")
    Path("nebula.reg").write_text('fk5\ncircle(323.3626,-0.8233,20")\n', encoding="utf-8")
    found = [words for words in commands((DOCS / "howto.md").read_text(encoding="utf-8")) if words[0] == "run"]
    tried = 0
    main_run(main, ["run", "m2", "-o", "other", "--name", "other", "-q"])
    Path("other_drz.fits").write_bytes(Path("other/other_drz.fits").read_bytes())
    for words in found:
        if "$visit" in words or any("gaia" in word for word in words):
            continue
        # Pages and pictures of runs have tests of their own, and take a third of a small run.
        more = ["--set", "report.page=false", "--set", "output.image=false", *(["-q"] * ("--quiet" not in words))]
        assert main_run(main, [*words, *more]) == 0, words
        tried += 1
        if "-c" in words:
            # Bit for bit, but for the word that tells the runs apart.
            again, before = (_RUNID.sub(b"", Path(name, "m2_drz.fits").read_bytes()) for name in ("again", "out"))
            assert again == before
    assert tried > 15
    assert Path("again").is_dir()


_RUNID = re.compile(rb"\d{8}T\d{6}Z-[0-9a-f]{8}")


def main_run(main: Any, words: list[str]) -> int:
    """Run the command line in this process; return its exit code."""
    with pytest.raises(SystemExit) as end:
        main(words)
    return int(end.value.code or 0)
