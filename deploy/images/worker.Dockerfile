# syntax=docker/dockerfile:1
# The worker: one browser, one session. Build from the repository's root; `make images` does, with docker or buildah.
# Secrets (both optional): pip = a pip configuration, ca = a bundle of certificate authorities; neither stays in a layer.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS python
RUN apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends python3 ca-certificates >/dev/null \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old \
 && groupadd --gid 10001 whatsapp \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin whatsapp

FROM python AS browser
# libatomic1 is what the driver of Playwright needs; one family of fonts is enough to measure text with.
# Removed: drivers of graphics cards with their compiler (a pod has none: Chromium draws with its own SwiftShader), and
# a validator for people who debug Vulkan: 190 MB.
RUN apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends chromium fonts-liberation libatomic1 >/dev/null \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old \
           /var/cache/fontconfig/* /usr/share/icons/* \
           /usr/lib/*/dri /usr/lib/*/libLLVM-*.so* /usr/lib/*/libz3.so* /usr/lib/chromium/libVkLayer_khronos_validation.so* \
 && fc-cache -f

FROM python AS dependencies
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv python3-pip >/dev/null
RUN python3 -m venv --without-pip /opt/whatsapp
# What builds the product is here too, so that a change of its code is built without the network.
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
# A change of the product's code changes the last layer only.
COPY --from=dependencies /opt/whatsapp /opt/whatsapp
COPY --from=product /product /opt/whatsapp
ENV PATH=/opt/whatsapp/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["whatsapp-worker"]
