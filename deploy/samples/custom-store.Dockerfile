# syntax=docker/dockerfile:1
# A worker image with a store of your own in it, for SessionStore.spec.custom.image (custom.yaml). Build it where your package
# lies: docker build -f custom-store.Dockerfile --build-arg WORKER=registry.example.com/team/whatsapp-session-worker:0.1.0 .
# The package's pyproject.toml names the store:
#   [project.entry-points."whatsapp_worker.stores"]
#   my-store = "my_store:open_store"
# Secrets (both optional): pip = a pip configuration, ca = a bundle of certificate authorities; neither stays in a layer.
ARG WORKER=whatsapp-session-worker:0.1.0

FROM ${WORKER} AS package
USER 0:0
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-pip >/dev/null
COPY . /build
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca,target=/etc/ssl/build-ca.crt \
    pip install --quiet --no-cache-dir --no-deps --target /packages /build

FROM ${WORKER}
# A path of its own: what the worker was locked to stays as it is.
COPY --from=package /packages /opt/packages
ENV PYTHONPATH=/opt/packages
