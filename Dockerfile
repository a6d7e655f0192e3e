# One image with all four programs. To try it, all in one:
#
#   docker build -t customauth .
#   docker run --rm -e AUTH_SMS=simulated -p 127.0.0.1:8080:8080 -v customauth:/data customauth
#
# docker-compose.yml runs the services apart.

FROM rust:1-bookworm AS build
WORKDIR /source
COPY . .
# The caches outlive a build, but are no part of the image: hence the copy.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked \
    && install -D -t /programs target/release/customauth target/release/auth-service \
        target/release/profile-service target/release/gateway

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin customauth \
    && install -d -m 700 -o customauth -g customauth /data
COPY --from=build /programs/ /usr/local/bin/
USER 10001
# A container's loopback is reachable by nobody. For this openness the programs
# want AUTH_SMS to be said, so that no one shows codes by mistake.
ENV GATEWAY_LISTEN=0.0.0.0:8080 \
    AUTH_LISTEN=0.0.0.0:50051 \
    PROFILE_LISTEN=0.0.0.0:50052 \
    DATA_DIR=/data
EXPOSE 8080 50051 50052
CMD ["customauth"]
