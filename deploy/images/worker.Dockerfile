# syntax=docker/dockerfile:1
# The worker image. `make images` builds it; the build context is the root of the repository.
# Build secrets (optional): pip, a pip configuration; ca, a bundle of CA certificates. Neither is stored in a layer.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS python
RUN apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends python3 ca-certificates >/dev/null \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old \
 && groupadd --gid 10001 whatsapp \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin whatsapp

FROM python AS browser
# Playwright's driver needs libatomic1. The browser needs one font family to measure text.
# Removed, 190 MB: graphics drivers with their compiler (Chromium draws with SwiftShader) and the Vulkan validation layer.
RUN apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends chromium fonts-liberation libatomic1 >/dev/null \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old \
           /var/cache/fontconfig/* /usr/share/icons/* \
           /usr/lib/*/dri /usr/lib/*/libLLVM-*.so* /usr/lib/*/libz3.so* /usr/lib/chromium/libVkLayer_khronos_validation.so* \
 && fc-cache -f

FROM python AS dependencies
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv python3-pip >/dev/null
RUN python3 -m venv --without-pip /opt/whatsapp
# The build tools are installed here too, so that a change of the code can be built without network access.
COPY deploy/images/build-requirements.lock /build/build-requirements.lock
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca,target=/etc/ssl/build-ca.crt \
    pip install --quiet --no-cache-dir --break-system-packages \
        --require-hashes -r /build/build-requirements.lock
COPY worker/requirements.lock /build/requirements.lock
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca,target=/etc/ssl/build-ca.crt \
    pip --python /opt/whatsapp/bin/python install --quiet --no-cache-dir --require-hashes -r /build/requirements.lock

FROM dependencies AS product
COPY pyproject.toml README.md LICENSE NOTICE /build/
COPY operator /build/operator
COPY worker /build/worker
RUN pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir /build/wheels /build \
 && pip --python /opt/whatsapp/bin/python install --quiet --no-index --no-deps --prefix /product /build/wheels/*.whl

FROM browser
# A change of the code only changes the last layer.
COPY --from=dependencies /opt/whatsapp /opt/whatsapp
COPY --from=product /product /opt/whatsapp
ENV PATH=/opt/whatsapp/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072
# The last two: memory that is free goes back to the system, 6 MiB of the worker's and the driver's.
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["whatsapp-worker"]
