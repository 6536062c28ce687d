"""Prometheus metrics under TF Serving's names, as far as this server has something to count."""

import contextlib
import time
from collections.abc import Iterator

import prometheus_client
from prometheus_client.core import Metric

from serving.development.errors import Refused

PATH = "/monitoring/prometheus/metrics"
_BOUNDS = tuple(10.0 * 1.8**step for step in range(33))  # microseconds, TF Serving's


class Metrics:
    """Counts requests and loads."""

    def __init__(self):
        self._registry = prometheus_client.CollectorRegistry()
        self._latency = prometheus_client.Histogram(
            ":tensorflow:serving:request_latency",
            "Microseconds from a request's arrival to its answer.",
            ["model_name", "API", "entrypoint"],
            buckets=_BOUNDS,
            registry=self._registry,
        )
        # A counter of prometheus_client would be called .._total.
        self._requests = prometheus_client.Gauge("requests", "", ["model_name", "status"], registry=None)
        self._loads = prometheus_client.Gauge("loads", "", ["model_path", "status"], registry=None)
        self._registry.register(self)

    @contextlib.contextmanager
    def answering(self, model: str, api: str, entrypoint: str) -> Iterator[None]:
        """Counts the request that is answered in its block, by the time it takes and by what is raised in it."""
        began, status = time.perf_counter(), "OK"
        try:
            yield
        except Refused as error:
            status = error.code.name
            raise
        except Exception:
            status = "INTERNAL"
            raise
        finally:
            self._requests.labels(model, status).inc()
            self._latency.labels(model, api, entrypoint).observe((time.perf_counter() - began) * 1e6)

    def load(self, folder: str, loaded: bool) -> None:
        """Counts a version that was loaded, or could not be."""
        self._loads.labels(folder, "success" if loaded else "fail").inc()

    def collect(self):
        """For prometheus_client: the counters under TF Serving's names."""
        counters = (
            (":tensorflow:serving:request_count", "Requests by status.", self._requests),
            (":tensorflow:cc:saved_model:load_attempt_count", "Loads of a version by status.", self._loads),
        )
        for name, description, gauge in counters:
            metric = Metric(name, description, "untyped")
            for sample in next(iter(gauge.collect())).samples:
                metric.add_sample(name, sample.labels, sample.value)
            yield metric

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return prometheus_client.generate_latest(self._registry)
