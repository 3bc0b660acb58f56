"""Measures this process and the service for Prometheus."""

from flask import Flask

from app.monitoring import http_requests
from app.monitoring.worker import WorkerMetrics
from config import Config


def init_app(app: Flask, config: Config) -> None:
    """Prepare the metrics. gunicorn's configuration begins them in each worker."""
    app.after_request(http_requests.observe_response)
    app.extensions["monitoring"] = WorkerMetrics(app, config)
