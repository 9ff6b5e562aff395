# syntax=docker/dockerfile:1
# A worker image that contains a custom store, for SessionStore.spec.custom.image (custom.yaml). Build it in the directory of your
# package: docker build -f custom-store.Dockerfile --build-arg WORKER=registry.example.com/team/whatsapp-session-worker:0.1.0 .
# The pyproject.toml of the package defines the entry point:
#   [project.entry-points."whatsapp_worker.stores"]
#   my-store = "my_store:open_store"
# Build secrets (optional): pip, a pip configuration; ca, a bundle of CA certificates. Neither is stored in a layer.
ARG WORKER=whatsapp-session-worker:0.1.0

FROM ${WORKER} AS package
USER 0:0
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-pip >/dev/null
COPY . /build
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca,target=/etc/ssl/build-ca.crt \
    pip install --quiet --no-cache-dir --no-deps --target /packages /build

FROM ${WORKER}
# A separate path, so that the locked packages of the worker are not replaced.
COPY --from=package /packages /opt/packages
ENV PYTHONPATH=/opt/packages
