"""Reports of failing apps in the language of the request."""

from dataclasses import replace

from app.languages import accepted_language, all_translated, translated
from app.services.failures.causes import Remedy
from app.services.failures.failing import FailingApp, FailureReport


def in_accepted_language(report: FailureReport) -> FailureReport:
    """Return the report with its causes and remedies in the language of Accept-Language."""
    language = accepted_language()
    return replace(
        report,
        failing=[_translated(one, language) for one in report.failing],
        recovered=[_translated(one, language) for one in report.recovered],
    )


def _translated(one: FailingApp, language: str) -> FailingApp:
    remedy = all_translated([one.remedy.text], language, one.remedy.values)
    return replace(one, why=translated(one.why, language), remedy=Remedy(remedy, {}))
