"""The routes of operation: health, readiness, metrics, and the documentation with scripts of our own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from api.ports import Queries
from api.problem import problem
from domain.refusal import Refusal

router = APIRouter(include_in_schema=False)
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Switchlog API</title>
<link rel="icon" href="/docs/swagger/favicon.png">
<link rel="stylesheet" href="/docs/swagger/swagger-ui.css">
</head>
<body>
<div id="swagger"></div>
<script src="/docs/swagger/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_SCRIPT = """SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger", deepLinking: true, validatorUrl: null });
"""
_POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"


class Totals(Collector):
    """Counters that others keep: from 0 again when they start again, as Prometheus expects."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def collect(self) -> Iterator[Metric]:
        for name, value in self.values.items():
            yield CounterMetricFamily(f"switchlog_{name}", name.replace("_", " "), value=value)


class Meter:
    """Counts requests by route and status, for `/metrics`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "switchlog_http_requests", "HTTP requests answered", ("method", "route", "status"), registry=self.registry
        )
        self.ready = Gauge("switchlog_ready", "1 = this part works", ("part",), registry=self.registry)
        self._gauges: dict[str, Gauge] = {}
        self._totals = Totals()
        self.registry.register(self._totals)

    def set(self, name: str, value: float) -> None:
        """A gauge `switchlog_NAME`, or a counter if the name ends in `_total`."""
        if name.endswith("_total"):
            self._totals.values[name.removesuffix("_total")] = value
            return
        if name not in self._gauges:
            self._gauges[name] = Gauge(f"switchlog_{name}", name.replace("_", " "), registry=self.registry)
        self._gauges[name].set(value)


def install(app: FastAPI) -> None:
    """Routes, and static files under `/docs/`."""
    app.include_router(router)
    app.mount("/docs/swagger", StaticFiles(directory=str(files("fastapi_offline") / "static")))


@router.get("/healthz")
async def healthz() -> JSONResponse:
    """This process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request, part: Annotated[list[str] | None, Query()] = None) -> Response:
    """Every part works, or those asked for (`?part=journal&part=live`): 200, or 503 that names those which do not."""
    queries: Queries = request.app.state.queries
    known = dict(await queries.health(part or ()))
    parts = {name: known.get(name, "is not known") for name in part or known}
    wrong = {name: words for name, words in parts.items() if words != "ok"}
    if wrong:
        return problem(503, "; ".join(f"{name}: {words}" for name, words in wrong.items()), parts=parts)
    return JSONResponse({"status": "ok", "parts": parts})


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Prometheus text; totals only, nothing of a single tenant."""
    meter: Meter = request.app.state.meter
    queries: Queries = request.app.state.queries
    try:
        for name, value in (await queries.gauges()).items():
            meter.set(name, value)
        for part, words in (await queries.health()).items():
            meter.ready.labels(part).set(words == "ok")
        meter.set("up", 1)
    except Refusal:
        meter.set("up", 0)
    return Response(generate_latest(meter.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/docs")
async def docs() -> HTMLResponse:
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/start.js")
async def docs_start() -> Response:
    """A file of its own, so that the page needs no inline script."""
    return Response(_SCRIPT, media_type="text/javascript")
