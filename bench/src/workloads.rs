//! What is asked of a proxy, and by which load generator.

/// One kind of load; one table of the report.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) load: Load,
    pub(crate) path: &'static str,
    /// The row that the others are compared with.
    pub(crate) base: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// wrk, 32 connections that are kept.
    Http1,
    /// h2load with HTTP/1.1, 16 connections that together send 4,000 requests a second.
    Rate,
    /// As `Http1`, over TLS.
    Https,
    /// h2load, 8 connections of 16 streams, prior knowledge.
    Http2,
    /// A new TLS connection for each request.
    Handshakes { resumed: bool },
}

impl Load {
    pub(crate) fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Handshakes { .. })
    }
}

pub(crate) fn all() -> Vec<Workload> {
    let workload = |name, title, load, path, base| Workload { name, title, load, path, base };
    let (full, resumed) = (Load::Handshakes { resumed: false }, Load::Handshakes { resumed: true });
    vec![
        workload("plain-0.1k", "Plain proxy, 0.1 KB body", Load::Http1, "/s", "nginx-plain"),
        workload("plain-1k", "Plain proxy, 1 KB JSON body", Load::Http1, "/k", "nginx-plain"),
        workload("plain-64k", "Plain proxy, 64 KB body", Load::Http1, "/l", "nginx-plain"),
        workload(
            "hdr-1k",
            "One request header and one response header set (tollgate: by one and by five plugins)",
            Load::Http1,
            "/k",
            "nginx-plain",
        ),
        workload(
            "chain-hs256",
            "JWT HS256, rate limit by subject, headers",
            Load::Http1,
            "/k",
            "nginx-lua-hs256",
        ),
        workload(
            "chain-rs256",
            "JWT RS256 (2048 bits), rate limit by subject, headers",
            Load::Http1,
            "/k",
            "nginx-lua-rs256",
        ),
        workload(
            "chain-es256",
            "JWT ES256 (P-256), rate limit by subject, headers",
            Load::Http1,
            "/k",
            "nginx-lua-es256",
        ),
        workload(
            "agg3",
            "Three calls (1 KB, 0.1 KB, 1 KB) merged into one JSON object",
            Load::Http1,
            "/agg",
            "nginx-lua-agg",
        ),
        workload(
            "tls-full",
            "TLS 1.3 full handshake (ECDSA P-256), one request, close",
            full,
            "/s",
            "nginx-tls",
        ),
        workload(
            "tls-resumed",
            "TLS 1.3 resumed handshake, one request, close",
            resumed,
            "/s",
            "nginx-tls",
        ),
        workload(
            "rate-1k",
            "Plain proxy, 1 KB, at 4,000 requests a second (what a proxy adds to latency)",
            Load::Rate,
            "/k",
            "nginx-plain",
        ),
        workload(
            "rate-chain",
            "JWT HS256, rate limit, headers, at 4,000 requests a second",
            Load::Rate,
            "/k",
            "nginx-lua-hs256",
        ),
        workload("tls-1k", "HTTPS, kept connections, 1 KB", Load::Https, "/k", "nginx-tls"),
        workload(
            "h2c-1k",
            "HTTP/2 cleartext to an HTTP/1.1 upstream, 1 KB (8 connections of 16 streams)",
            Load::Http2,
            "/k",
            "nginx-h2c",
        ),
    ]
}
