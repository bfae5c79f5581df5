# syntax=docker/dockerfile:1
# The API, and the command line beside it, for `dilux token`. The API runs the client tools too: to test
# connections and to discover databases.
# Build from the root of the repository: docker build -f deploy/docker/api.Dockerfile .

FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --bin dilux-api --bin dilux \
    && cp target/release/dilux-api target/release/dilux /usr/local/bin/

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates mariadb-client postgresql-client-15 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/dilux dilux \
    && chmod 700 /var/lib/dilux
COPY --from=build /usr/local/bin/dilux-api /usr/local/bin/dilux /usr/local/bin/
USER 10001
WORKDIR /var/lib/dilux
ENV DILUX_LOG_FORMAT=json
ENTRYPOINT ["/usr/local/bin/dilux-api"]
