# The release build, on the distribution that hids is made for. The result is one binary:
#   docker build -o out .
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends lxc-dev libclang-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock rust-toolchain.toml build.rs ./
COPY src ./src
COPY rules ./rules
COPY deploy ./deploy
RUN cargo build --release --locked --bin hids

FROM scratch
COPY --from=build /src/target/release/hids /hids
