# weir in one binary. The DuckDB driver is C++: it needs a compiler to build
# and libstdc++ to run, which is why neither stage is Alpine.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go build -trimpath -ldflags='-s -w' -o /out/weir ./cmd/weir

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libstdc++6 ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/weir /usr/local/bin/weir
ENV TZ=UTC
CMD ["weir", "--help"]
