# syntax=docker/dockerfile:1
# The simulator image, for tests and the demo. `make images` builds it; the build context is the root of the repository.
# Build secrets (optional): pip, a pip configuration; ca, a bundle of CA certificates. Neither is stored in a layer.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS python
RUN apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends python3 ca-certificates >/dev/null \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old \
 && groupadd --gid 10001 whatsapp \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin whatsapp

FROM python AS dependencies
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv python3-pip >/dev/null
RUN python3 -m venv --without-pip /opt/whatsapp
COPY tests/simulator/requirements.lock /build/requirements.lock
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca,target=/etc/ssl/build-ca.crt \
    pip --python /opt/whatsapp/bin/python install --quiet --no-cache-dir --require-hashes -r /build/requirements.lock

FROM python
COPY --from=dependencies /opt/whatsapp /opt/whatsapp
COPY tests/simulator /opt/simulator/simulator
ENV PATH=/opt/whatsapp/bin:/usr/bin:/bin PYTHONPATH=/opt/simulator PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["python", "-m", "simulator"]
