"""A fleet at one store: the pages of each box, with the labels that its agent adds."""

from collections.abc import Iterator
from dataclasses import replace
from heapq import merge

from demo_data.cases import Box, Case
from demo_data.scrapes import SCRAPED, Sample, scrapes


def pages(case: Case) -> Iterator[list[Sample]]:
    """What a store gets in this case, in the order of time; without an end."""
    if not case.boxes:
        return scrapes(case)
    return merge(*(_sent(box, case.end_s) for box in case.boxes), key=lambda page: page[0].at_s)


def _sent(box: Box, end_s: float) -> Iterator[list[Sample]]:
    labels = f'{SCRAPED},site="{box.site}",box="{box.name}"'
    for page in scrapes(replace(box.case, end_s=end_s)):
        if box.silent_for_s and page[0].at_s > end_s - box.silent_for_s:
            return
        yield [replace(sample, series=sample.series.replace(SCRAPED, labels, 1)) for sample in page]
