"""The numbers of docs/scaling.md are those that the model computes from the inputs on the page."""

import pytest

from tests.bench.scale.model import (
    OPERATIONS,
    Measured,
    capacity_of,
    distinct_pages,
    load_of,
    observed,
    predicted,
    random_pages,
)
from tests.bench.scale.page import PAGES, Page, measured_table
from tests.bench.scale.tables import Inputs, shown
from tests.bench.scale.wording import Language


@pytest.fixture
def inputs() -> Inputs:
    """Return the inputs of the English page."""
    return Page(PAGES[Language.ENGLISH].read_text()).inputs


@pytest.mark.parametrize("language", Language)
def test_the_tables_of_the_page_are_computed_from_its_inputs(language: Language) -> None:
    page = Page(PAGES[language].read_text())
    assert page.computed(language) == page, "run: python -m tests.bench.scale.page"


@pytest.mark.parametrize("language", Language)
def test_the_measurements_have_the_meanings_of_the_model(language: Language) -> None:
    page = Page(PAGES[language].read_text())
    written = Page(page.with_table("measured", measured_table(page.inputs.measured, language)).text)
    names = [row[0] for row in page.blocks["measured"]]
    assert [row[0] for row in written.blocks["measured"]] == names


def test_a_changed_number_is_noticed() -> None:
    text = PAGES[Language.ENGLISH].read_text()
    changed = Page(text.replace("| `daily_active` | 10 |", "| `daily_active` | 11 |"))
    assert changed.text != text
    assert changed.computed(Language.ENGLISH) != changed


def test_both_pages_have_the_same_inputs(inputs: Inputs) -> None:
    assert Page(PAGES[Language.CHINESE].read_text()).inputs == inputs


def test_random_pages_is_the_inverse_of_distinct_pages() -> None:
    touched = distinct_pages(27 * 2000, 30_000)
    assert touched < 27 * 2000
    assert random_pages(touched / 2000, 2000, 30_000) == pytest.approx(27)
    assert distinct_pages(10, 10**9) == pytest.approx(10)
    assert distinct_pages(10**9, 10) == pytest.approx(10)


def test_the_load_follows_from_daily_use(inputs: Inputs) -> None:
    use = {**inputs.use, "daily_active": 50, "checks": 10, "uncached": 25, "refreshes": 1}
    load = load_of(86_400, {**use, "logins": 2, "new_users": 1, "last_uses": 4, "peak": 3})
    assert load.daily == {
        "check": 324_000,
        "uncached_check": 108_000,
        "refresh": 43_200,
        "login": 86_400,
        "new_login": 864,
        "last_use": 172_800,
    }
    assert load.peak["check"] == pytest.approx(11.25)


def test_the_base_is_predicted_exactly(inputs: Inputs) -> None:
    found = observed(inputs.base)
    for name, expected in predicted(inputs.base, inputs.base).items():
        assert found[name] == pytest.approx(expected, rel=0.1), name


def test_more_users_need_more_of_everything(inputs: Inputs) -> None:
    small, large = inputs.capacity(1e6), inputs.capacity(1e7)
    assert all(large.load.daily[name] == 10 * small.load.daily[name] for name in OPERATIONS)
    assert large.workers > small.workers
    assert large.disk_gb == pytest.approx(10 * small.disk_gb)
    assert large.wal_gb_per_day > small.wal_gb_per_day
    assert large.notifying_commits == pytest.approx(10 * small.notifying_commits)


def test_deployments_keep_the_time_for_notifications_low(inputs: Inputs) -> None:
    slow = Measured(inputs.costs.users, {**inputs.costs.numbers, "notification_ms": 1.0})
    capacity = capacity_of(1e8, slow, inputs.use)
    assert capacity.notified_share / capacity.deployments <= inputs.use["notified"] / 100
    assert capacity.deployments > 1


@pytest.mark.parametrize(
    ("number", "text"), [(12345.6, "12,346"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123")]
)
def test_numbers_have_three_digits(number: float, text: str) -> None:
    assert shown(number) == text
