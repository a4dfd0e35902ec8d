# Switchlog as an image: built in one stage, run in another that has neither compiler nor pip's cache, by a user who owns
# nothing but the data. EXTRAS=embedded puts the ClickHouse engine inside (five times the size); without it name a server.
ARG PYTHON=3.12-slim-bookworm

FROM python:${PYTHON} AS build
ARG EXTRAS=""
WORKDIR /src
RUN python -m venv /opt/switchlog
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY adapters adapters
COPY api api
COPY domain domain
COPY media media
COPY projections projections
COPY switchlog switchlog
RUN /opt/switchlog/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt ".${EXTRAS:+[$EXTRAS]}" \
    && /opt/switchlog/bin/switchlog --version

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="Switchlog" \
    org.opencontainers.image.description="A multi-tenant cloud PBX whose switchboard is a log" \
    org.opencontainers.image.licenses="Apache-2.0"
# Speaks the prompts: a program of its own, under the GPL.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends espeak-ng \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 switchlog \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/switchlog --shell /usr/sbin/nologin switchlog \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/switchlog
COPY --from=build /opt/switchlog /opt/switchlog
# The data are a folder inside the volume: a volume's own folder may belong to root, and Switchlog makes its folder 0700.
# Nothing else is written, but /tmp by the engine inside: `docker run --read-only --tmpfs /tmp`.
ENV PATH=/opt/switchlog/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    SWITCHLOG_DATA=/var/lib/switchlog/data \
    SWITCHLOG_LOG=json
VOLUME /var/lib/switchlog
WORKDIR /var/lib/switchlog
USER 10001:10001
# SIP over UDP, TCP and TLS, and HTTP: as the settings say, which by default keep to the container's own loopback.
EXPOSE 5060/udp 5060/tcp 5061/tcp 8080/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 CMD ["switchlog", "ready"]
ENTRYPOINT ["switchlog"]
CMD ["serve"]
