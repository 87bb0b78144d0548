# The image of the action. `release` compiles the program, `prebuilt` copies it from the context, for the tests. It runs
# as root and has no WORKDIR, as GitHub requires of container actions, and no git, since git refuses a checkout of
# another user. Base images are pinned by the digest of their multi-architecture index. Dependabot updates the digests;
# it reads FROM lines, not ARGs.
FROM debian:trixie-slim@sha256:a29215f6a35e51e22adffa17f89e9d2ef06214e64a2bad10d765c46aea49f11f AS runtime
LABEL org.opencontainers.image.title="ami-bake" \
      org.opencontainers.image.description="Bake machine images the way people ship containers." \
      org.opencontainers.image.source="https://github.com/ami-bake/ami-bake" \
      org.opencontainers.image.licenses="Apache-2.0 OR MIT"
# Certificates for AWS and GitHub; ansible-core for `ansible` steps.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ansible-core ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s ami-bake /usr/local/bin/ami-bake-post
ENTRYPOINT ["/usr/local/bin/ami-bake"]

FROM runtime AS prebuilt
COPY ami-bake /usr/local/bin/ami-bake

FROM rust:1.95-slim-trixie@sha256:28846ec5a6bcfcddb93f403ba7071bd579787852b2f2ac3839965620e8bd9456 AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev make
WORKDIR /source
COPY . .
RUN cargo build --profile dist --locked && cp target/dist/ami-bake /ami-bake

FROM runtime AS release
COPY --from=build /ami-bake /usr/local/bin/ami-bake
