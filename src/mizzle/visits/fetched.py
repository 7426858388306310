"""A batch whose exposures come from MAST: what is whole and current is not fetched again."""

from __future__ import annotations

from mizzle.errors import MizzleError
from mizzle.execution.cluster import Cluster
from mizzle.io.quick_headers import HeaderCache
from mizzle.visits.driver import Job
from mizzle.visits.fetching import Arrivals, Hooks, Parcel, parcels
from mizzle.visits.grouping import GroupedVisit, ListedExposure
from mizzle.visits.plan import BatchPlan
from mizzle.visits.records import CIRCUMSTANCES, Record

#: Folder, in OUT, of fetched exposures.
INPUTS = "inputs"


def run_fetched(plan: BatchPlan, scheduler: str | None, workers: int | None) -> None:
    """Ask MAST what there is, and run it as it comes.

    Parameters
    ----------
    plan : BatchPlan
        What the batch is to do.
    scheduler, workers
        As in `mizzle.batch`.

    Raises
    ------
    SettingsError, DataError, InputError
        The query means nothing, MAST holds no such exposure, or cannot be reached.
    """
    from mizzle.archive.mast import fetch_exposures, find_products

    options, archive = plan.options, plan.settings.archive
    products = find_products(options.fetch, options.filters, archive)
    every = parcels(products, plan.ledger.out / INPUTS)
    path = plan.ledger.hidden / "headers.json"
    cache = HeaderCache.load(path)
    wanted = [parcel for parcel in every if not _current(parcel, plan, cache)]
    plan.listener.begin(len(every), len(every) - len(wanted), "")
    if not wanted:
        return

    def arrived(parcel: Parcel) -> list[Job]:
        grouped = parcel.grouped(cache, look=True)
        cache.save(path)
        assert grouped is not None
        grouped = plan.own.kept(grouped)
        plan.leave_out(grouped.problems)
        return plan.jobs(grouped.visits)

    def failed(parcel: Parcel, problem: MizzleError) -> None:
        visit = _unfetched(parcel)
        record = Record(
            visit.name, "failed", verdict="FAIL", message=str(problem), exit_code=problem.exit_code, cause=CIRCUMSTANCES
        )
        plan.overview.add(visit, record)
        plan.listener.finished(record)

    hooks = Hooks(lambda parcel: fetch_exposures(parcel.products, parcel.folder, archive), arrived, failed)
    with (
        Cluster(scheduler, workers) as cluster,
        Arrivals(wanted, hooks, options.disk, drop=options.drop_inputs) as source,
    ):
        plan.drive(cluster, source)


def _current(parcel: Parcel, plan: BatchPlan, cache: HeaderCache) -> bool:
    """Tell whether all visits of a parcel are whole and current, and MAST's files those that they were made of."""
    grouped = parcel.grouped(cache, look=False)
    if grouped is None or not grouped.visits:
        return False
    grouped = plan.own.kept(grouped)
    kept = not plan.options.drop_inputs
    records = {visit.name: plan.current(visit, kept_inputs=kept) for visit in grouped.visits}
    sizes = parcel.sizes()
    for record in records.values():
        if record is None or any(sizes.get(entry.file) not in (entry.size, None) for entry in record.inputs):
            return False
    for visit in grouped.visits:
        record = records[visit.name]
        if record is not None:
            plan.visits[visit.name] = visit
            plan.overview.add(visit, record)
    return True


def _unfetched(parcel: Parcel) -> GroupedVisit:
    """Return a visit that stands for files that could not be had: nothing but their names is known."""
    nan = float("nan")
    filters = {product.root: product.filters for product in parcel.products}
    listed = tuple(
        ListedExposure(entry, entry.stem, "", "", "", filters.get(entry.stem, ""), nan, nan, nan, nan, 0)
        for entry in parcel.inputs().values()
    )
    return GroupedVisit(f"{parcel.name}-not-fetched", listed)
