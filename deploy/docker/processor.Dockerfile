# syntax=docker/dockerfile:1
# The processor, with the client tools that dump and restore.
# Build from the root of the repository: docker build -f deploy/docker/processor.Dockerfile .

FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --bin dilux-processor \
    && cp target/release/dilux-processor /usr/local/bin/

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates mariadb-client postgresql-client-15 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/dilux dilux \
    && chmod 700 /var/lib/dilux
COPY --from=build /usr/local/bin/dilux-processor /usr/local/bin/
USER 10001
WORKDIR /var/lib/dilux
ENV DILUX_LOG_FORMAT=json
ENTRYPOINT ["/usr/local/bin/dilux-processor"]
