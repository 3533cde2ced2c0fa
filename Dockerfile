# syntax=docker/dockerfile:1
# Podium's service: `podium serve`, or `podium worker` beside it (docs/deployment.md).

FROM python:3.13.9-slim-bookworm AS build

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV UV_NO_CONFIG=1 \
    UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/podium
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
WORKDIR /src

# What Podium needs changes seldom: a layer of its own.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --extra service --no-install-project --python /usr/local/bin/python3

COPY README.md LICENSE DATA_LICENSES.md ./
COPY src ./src
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --extra service --no-editable --python /usr/local/bin/python3

FROM python:3.13.9-slim-bookworm

LABEL org.opencontainers.image.title="Podium" \
      org.opencontainers.image.description="Simulates and optimises a virtual power plant" \
      org.opencontainers.image.licenses="Apache-2.0"

RUN groupadd --gid 10001 podium \
    && useradd --uid 10001 --gid podium --no-create-home --home-dir /var/lib/podium --shell /usr/sbin/nologin podium \
    && install --directory --owner=podium --group=podium --mode=0700 /var/lib/podium /var/cache/podium
COPY --from=build /opt/podium /opt/podium

# Numba keeps compiled kernels in NUMBA_CACHE_DIR: here those of the machine that builds. Others compile once more.
ENV PATH=/opt/podium/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/var/cache/podium \
    MPLCONFIGDIR=/tmp/matplotlib \
    PODIUM_DATA=/var/lib/podium \
    PODIUM_HOST=0.0.0.0 \
    PODIUM_PORT=8000
USER 10001:10001
WORKDIR /var/lib/podium
RUN podium warm-up

VOLUME /var/lib/podium
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
CMD ["podium", "serve"]
