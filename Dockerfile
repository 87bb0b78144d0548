# The image of the action. `release` compiles the program, `prebuilt` takes one that lies in the context, as the tests do;
# both are the same runtime. Root and no WORKDIR, as GitHub asks of a container action; no git, since a checkout that belongs
# to somebody else is an error to it.
ARG BASE=debian:trixie-slim
ARG BUILDER=rust:1.95-slim-trixie

FROM ${BASE} AS runtime
LABEL org.opencontainers.image.title="ami-bake" \
      org.opencontainers.image.description="Bake machine images the way people ship containers." \
      org.opencontainers.image.source="https://github.com/ami-bake/ami-bake" \
      org.opencontainers.image.licenses="Apache-2.0 OR MIT"
# The certificates for AWS and GitHub, and what steps with `ansible` run.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ansible-core ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s ami-bake /usr/local/bin/ami-bake-post
ENTRYPOINT ["/usr/local/bin/ami-bake"]

FROM runtime AS prebuilt
COPY ami-bake /usr/local/bin/ami-bake

FROM ${BUILDER} AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev make
WORKDIR /source
COPY . .
RUN cargo build --profile dist --locked && cp target/dist/ami-bake /ami-bake

FROM runtime AS release
COPY --from=build /ami-bake /usr/local/bin/ami-bake
